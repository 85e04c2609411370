package sensor_test

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/thingwire/thingwire/device/sensor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tree writes files below a temporary root and answers the System that looks there.
func tree(t *testing.T, files map[string]string) sensor.System {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return sensor.System{Root: root}
}

// machine has one of everything: a BME680, a CPU with a dead first input, and a thermal zone.
var machine = map[string]string{
	"sys/bus/iio/devices/iio:device0/name":                      "bme680",
	"sys/bus/iio/devices/iio:device0/in_temp_input":             "23610",
	"sys/bus/iio/devices/iio:device0/in_humidityrelative_input": "41250",
	"sys/bus/iio/devices/iio:device0/in_pressure_input":         "101.325",
	"sys/bus/iio/devices/iio:device1/name":                      "bmp280",
	"sys/bus/iio/devices/iio:device1/in_temp_raw":               "100",
	"sys/bus/iio/devices/iio:device1/in_temp_offset":            "-20",
	"sys/bus/iio/devices/iio:device1/in_temp_scale":             "250",
	"sys/class/hwmon/hwmon0/name":                               "coretemp",
	"sys/class/hwmon/hwmon0/temp1_input":                        "0",
	"sys/class/hwmon/hwmon0/temp2_input":                        "47500",
	"sys/class/hwmon/hwmon0/temp10_input":                       "50000",
	"sys/class/hwmon/hwmon0/fan1_input":                         "1200",
	"sys/class/hwmon/hwmon1/name":                               "nothing",
	"sys/class/hwmon/hwmon1/temp3_input":                        "not a number",
	"sys/class/thermal/thermal_zone0/type":                      "x86_pkg_temp",
	"sys/class/thermal/thermal_zone0/temp":                      "51000",
}

func TestOpenReadsWhatTheKernelShows(t *testing.T) {
	sys := tree(t, machine)
	for _, c := range []struct {
		spec, again string
		want        float64
	}{
		{"iio:bme680/temp", "iio:bme680/temp", 23.61},
		{"iio:bme680", "iio:bme680/temp", 23.61},
		{"iio:iio:device0", "iio:iio:device0/temp", 23.61},
		{"iio:device0/temp", "iio:device0/temp", 23.61},
		{"iio:bme680/humidityrelative", "iio:bme680/humidityrelative", 41.25},
		{"iio:bme680/pressure", "iio:bme680/pressure", 101.325},
		{"iio:bmp280", "iio:bmp280/temp", 20},
		{"hwmon:coretemp", "hwmon:coretemp/temp1", 0},
		{"hwmon:coretemp/temp10", "hwmon:coretemp/temp10", 50},
		{"hwmon:hwmon0/temp2", "hwmon:hwmon0/temp2", 47.5},
		{"hwmon:coretemp/fan1", "hwmon:coretemp/fan1", 1200},
		{"thermal:x86_pkg_temp", "thermal:x86_pkg_temp", 51},
		{"thermal:thermal_zone0", "thermal:thermal_zone0", 51},
	} {
		t.Run(c.spec, func(t *testing.T) {
			s, err := sys.Open(c.spec)
			if err != nil {
				t.Fatal(err)
			}
			v, err := s.Read(t.Context())
			if err != nil || math.Abs(v-c.want) > 1e-9 {
				t.Errorf("read %v, %v; want %v", v, err, c.want)
			}
			if s.String() != c.again {
				t.Errorf("is called %q, want %q", s, c.again)
			}
			if _, err := sys.Open(s.String()); err != nil {
				t.Errorf("its own name does not open it: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	sys := tree(t, machine)
	for spec, words := range map[string]string{
		"":                              `unknown kind ""`,
		"gpio:7":                        `unknown kind "gpio"`,
		"iio:":                          "name the device",
		"iio:bme280":                    "no such device",
		"iio:bme680/gas":                "in_gas_raw",
		"iio:bme680/../name":            "iio channel",
		"hwmon:":                        "name the monitor",
		"hwmon:k10temp":                 "no such monitor",
		"hwmon:coretemp/temp9":          "temp9_input",
		"hwmon:coretemp/../x":           "hwmon input",
		"hwmon:coretemp/temp":           "hwmon input",
		"thermal:":                      "name the zone",
		"thermal:acpitz":                "no such thermal zone",
		"exec:":                         "give the command",
		"exec: ":                        "give the command",
		"stdin:x":                       "no argument",
		"simulated:dht22":               "simulated:bme680",
		"simulated:bme680?fail-every=0": "fail-every=N",
		"simulated:bme680?x=1":          "fail-every=N",
		"simulated:bme680?%zz":          "invalid URL escape",
	} {
		if _, err := sys.Open(spec); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v; want words with %q", spec, err, words)
		}
	}
}

func TestReadSaysWhyThereIsNone(t *testing.T) {
	sys := tree(t, machine)
	s, err := sys.Open("hwmon:nothing/temp3")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "does not hold a number") {
		t.Errorf("got %v", err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Read(over); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := os.Remove(filepath.Join(sys.Root, "sys/class/hwmon/hwmon1/temp3_input")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestDiscoverPrefersTheNearestToTheWorld(t *testing.T) {
	sys := tree(t, machine)
	for _, step := range []struct{ want, gone string }{
		{"iio:device0/temp", "sys/bus/iio/devices/iio:device0"},
		{"iio:device1/temp", "sys/bus/iio/devices/iio:device1"},
		{"hwmon:hwmon0/temp2", "sys/class/hwmon/hwmon0"},
		{"thermal:thermal_zone0", "sys/class/thermal/thermal_zone0"},
	} {
		s, err := sys.Discover()
		if err != nil || s.String() != step.want {
			t.Fatalf("found %v, %v; want %s", s, err, step.want)
		}
		if err := os.RemoveAll(filepath.Join(sys.Root, step.gone)); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := sys.Discover(); !errors.Is(err, sensor.ErrNone) {
		t.Errorf("found %v, %v on a machine without a sensor", s, err)
	}
}

// What a machine has is its own; what Discover finds there must be readable and open again by name.
func TestDiscoverOnThisMachine(t *testing.T) {
	s, err := sensor.Discover()
	if errors.Is(err, sensor.ErrNone) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sensor.Open(s.String()); err != nil {
		t.Error(err)
	}
}

func TestCommand(t *testing.T) {
	for _, c := range []struct {
		line  string
		want  float64
		words string
	}{
		{"echo 23.6", 23.6, ""},
		{"echo; echo '  -4 °C'", -4, ""},
		{"echo warm", 0, `"warm" is not a number`},
		{"echo NaN", 0, `"NaN" is not a number`},
		{"true", 0, "the reading is empty"},
		{"echo broken >&2; exit 3", 0, "exit status 3: broken"},
		{"exit 4", 0, "exit status 4"},
	} {
		s, err := sensor.Open("exec:" + c.line)
		if err != nil {
			t.Fatal(err)
		}
		v, err := s.Read(t.Context())
		if c.words == "" && (err != nil || v != c.want) || c.words != "" && (err == nil || !strings.Contains(err.Error(), c.words)) {
			t.Errorf("%s: %v, %v", s, v, err)
		}
		_ = s.Close()
	}
}

func TestStdinGivesANumberPerLine(t *testing.T) {
	in, out := io.Pipe()
	s, err := sensor.System{Stdin: in}.Open("stdin")
	if err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Read(over); !errors.Is(err, context.Canceled) {
		t.Errorf("waited for a line although it was told to stop: %v", err)
	}
	go func() {
		_, _ = io.WriteString(out, "23.6 \nhot\n-1\n")
		_ = out.Close()
	}()
	if v, err := s.Read(t.Context()); err != nil || v != 23.6 {
		t.Errorf("got %v, %v", v, err)
	}
	if _, err := s.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "not a number") {
		t.Errorf("got %v", err)
	}
	if v, err := s.Read(t.Context()); err != nil || v != -1 {
		t.Errorf("got %v, %v", v, err)
	}
	if _, err := s.Read(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
	if s.String() != "stdin" || s.Close() != nil {
		t.Error("stdin is not called stdin, or cannot be closed")
	}
}

func TestSimulatedFollowsTheDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := sensor.Open("simulated:bme680")
		if err != nil {
			t.Fatal(err)
		}
		last, low, high := math.NaN(), math.Inf(1), math.Inf(-1)
		for range 24 * 60 {
			v, err := s.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(v-last) > 0.4 {
				t.Fatalf("jumped from %v to %v within a minute", last, v)
			}
			last, low, high = v, min(low, v), max(high, v)
			time.Sleep(time.Minute) // of the bubble
		}
		if low < 20 || high > 27 || high-low < 2 {
			t.Errorf("between %v and %v in a day", low, high)
		}
	})
}

func TestSimulatedFailsWhenTold(t *testing.T) {
	s, err := sensor.Open("simulated:bme680?fail-every=3")
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= 9; i++ {
		if _, err := s.Read(t.Context()); errors.Is(err, sensor.ErrSimulated) != (i%3 == 0) {
			t.Errorf("reading %d: %v", i, err)
		}
	}
	if s.String() != "simulated:bme680?fail-every=3" {
		t.Error(s)
	}
}

// Specs come from a command line or a file: whatever they hold, Open answers.
func FuzzOpen(f *testing.F) {
	for _, spec := range []string{"iio:bme680/temp", "hwmon:coretemp/temp1", "thermal:x", "exec:true", "stdin", "simulated:bme680?fail-every=2", "iio:../..", "hwmon:[/temp1"} {
		f.Add(spec)
	}
	sys := sensor.System{Root: f.TempDir()}
	f.Fuzz(func(t *testing.T, spec string) {
		s, err := sys.Open(spec)
		if (s == nil) == (err == nil) {
			t.Errorf("%q: %v, %v", spec, s, err)
		}
	})
}
