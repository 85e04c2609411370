package server

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwire/thingwire/internal/fault"
)

var rewrite = flag.Bool("rewrite", false, "write the messages of the bad configuration files anew")

func TestGoodFiles(t *testing.T) {
	full := Config{
		DataDir: "/var/lib/thingwire",
		Listen: Listeners{
			MQTTS: ":8883", HTTPS: "127.0.0.1:0", API: Off, Shared: "[::1]:443", Console: "localhost:8080", MQTT: "0.0.0.0:1883", Metrics: "[::1]:9464",
			MQTTAnywhere: true,
		},
		Hostnames: []string{"iot.example.org", "192.0.2.7", "fd00::7"},
		Account:   "012345678901",
		Region:    "eu-central-1",
		Limits:    "open", Durability: "relaxed", QueueFull: "refuse",
		Queue:         QueueLimits{Messages: 10_000, Bytes: 64 << 20, Age: 36 * time.Hour},
		SigfoxAccount: "111122223333",
		Sigfox:        Sigfox{Endpoint: SigfoxOwn, Allow: []string{"192.0.2.0/24", "127.0.0.1:9443"}, Speed: 60, Messages: 5000},
	}
	plain := Default()
	plain.DataDir = "/given/by/flag"
	some := plain
	some.Listen.MQTTS = "127.0.0.1:18883"
	for name, want := range map[string]Config{"full": full, "empty": plain, "comment": plain, "null": plain, "some": some} {
		t.Run(name, func(t *testing.T) {
			got := Default()
			got.DataDir = "/given/by/flag"
			if err := LoadFile("testdata/config/"+name+".good.yaml", &got); err != nil {
				t.Fatal(err)
			}
			if err := got.Validate(); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Each mistake that a user can make is a file, and its message stands beside it.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/config/*.bad.yaml")
	if err != nil || len(files) < 20 {
		t.Fatal(len(files), err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			cfg := Default()
			cfg.DataDir = "/given/by/flag"
			err = parseConfig(name, data, &cfg)
			if err == nil {
				err = cfg.Validate()
			}
			if err == nil {
				t.Fatal("was accepted")
			}
			if k := fault.KindOf(err); k != fault.Invalid && k != fault.Unsupported {
				t.Errorf("is of kind %v", k)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *rewrite {
				if err := os.WriteFile(golden, []byte(err.Error()+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, _ := os.ReadFile(golden)
			if got := err.Error() + "\n"; got != string(want) {
				t.Errorf("says\n%swant\n%s", got, want)
			}
			if strings.Count(err.Error(), "\n") > 0 {
				t.Error("is longer than a line")
			}
		})
	}
}

func TestFileThatIsNotThere(t *testing.T) {
	cfg := Default()
	err := LoadFile(filepath.Join(t.TempDir(), "none.yaml"), &cfg)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "check --config") {
		t.Error(err)
	}
}

func TestConfigNeedsADataDir(t *testing.T) {
	cfg := Default()
	if err := cfg.Validate(); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "--data-dir") {
		t.Error(err)
	}
}

func TestListenersByName(t *testing.T) {
	l := Default().Listen
	if !l.Set("mqtt", "127.0.0.1:0") || l.MQTT != "127.0.0.1:0" || l.Address("mqtt") != "127.0.0.1:0" {
		t.Error(l)
	}
	if l.Set("gopher", ":70") || l.Address("gopher") != "" {
		t.Error("gopher is spoken here")
	}
}

// Whatever a file holds: no panic, one line, and what is accepted twice is the same.
func FuzzConfig(f *testing.F) {
	files, err := filepath.Glob("testdata/config/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		first, second := Default(), Default()
		if err := parseConfig("f", data, &first); err != nil {
			return
		}
		if err := parseConfig("f", data, &second); err != nil || !cmp.Equal(first, second) {
			t.Errorf("read twice: %v", err)
		}
		_ = first.Validate()
	})
}
