package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/thingwire/thingwire/internal/server"
)

// house is a server with one thing that may do everything.
type house struct {
	dir, port string
	thing     *server.Provisioned
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{dir: filepath.Join(t.TempDir(), "data")}
	var stderr bytes.Buffer
	s, err := demoServer(t.Context(), &world{stdout: io.Discard, stderr: &stderr}, h.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, h.port, err = net.SplitHostPort(s.Addr("mqtts")); err != nil {
		t.Fatal(err)
	}
	admin := server.NewAdmin(h.dir)
	defer admin.Close()
	h.thing, err = admin.Provision(t.Context(), server.NewThing{Name: "lamp", Policy: server.PolicyAllowEverything})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) target(t *testing.T) target {
	t.Helper()
	to, err := newTarget("localhost", portOf(t, h.port), []byte(h.thing.CertificatePEM), []byte(h.thing.PrivateKeyPEM), []byte(h.thing.RootPEM))
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func portOf(t *testing.T, text string) uint16 {
	t.Helper()
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return uint16(n)
}

// connect makes a client whose callbacks do nothing unless they are set.
func (h *house) connect(t *testing.T, cfg mqttConfig) *mqttClient {
	t.Helper()
	if cfg.target.Endpoint == "" {
		cfg.target = h.target(t)
	}
	if cfg.onMessage == nil {
		cfg.onMessage = func(string, []byte) {}
	}
	if cfg.onInterrupted == nil {
		cfg.onInterrupted = func(error) {}
	}
	if cfg.onResumed == nil {
		cfg.onResumed = func(bool) {}
	}
	if cfg.afterResumed == nil {
		cfg.afterResumed = func() {}
	}
	c, err := connectMQTT(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close) // a second Close does nothing
	return c
}

// verbWith starts a verb on the house and answers its output and how to wait for its end.
func (h *house) verbWith(t *testing.T, args ...string) (out *lineBuffer, wait func() int) {
	t.Helper()
	return h.start(t, append(args, "--data-dir", h.dir))
}

func (h *house) start(t *testing.T, args []string) (out *lineBuffer, wait func() int) {
	t.Helper()
	out = &lineBuffer{}
	out.changed = sync.NewCond(&out.mu)
	w := &world{
		args: args, env: func(string) string { return "" }, stdin: strings.NewReader(""),
		stdout: out, stderr: out, signals: context.WithCancel,
	}
	done := make(chan int, 1)
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	go func() {
		code := run(ctx, w)
		out.end()
		done <- code
	}()
	return out, func() int { return <-done }
}

// Nothing says when a subscription of `subscribe` is there, so messages are published until both have seen theirs.
func TestSubscribeShowsWhatPasses(t *testing.T) {
	h := newHouse(t)
	client := h.connect(t, mqttConfig{clientID: "lamp"})
	people, peopleEnd := h.verbWith(t, "subscribe", "live/#", "--count", "2")
	programs, programsEnd := h.verbWith(t, "subscribe", "live/bin", "live/text", "--count", "2", "--output", "json", "--qos", "0")
	for people.open() || programs.open() {
		for topic, payload := range map[string]string{"live/text": `{"n":1}`, "live/bin": "\x00\xff", "elsewhere": "no"} {
			if err := client.Publish(t.Context(), topic, []byte(payload)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if a, b := peopleEnd(), programsEnd(); a != exitDone || b != exitDone {
		t.Errorf("ended with %d and %d:\n%s\n%s", a, b, people.String(), programs.String())
	}
	shown := slices.Sorted(strings.Lines(people.String()))
	if want := []string{`live/bin b'\x00\xff'` + "\n", `live/text {"n":1}` + "\n"}; !onlyFrom(shown, want) {
		t.Errorf("shown %q", shown)
	}
	for line := range strings.Lines(programs.String()) {
		var m server.LiveMessage
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		payload, err := m.Bytes()
		if want := map[string]string{"live/text": `{"n":1}`, "live/bin": "\x00\xff"}[m.Topic]; err != nil || string(payload) != want || m.QoS != 0 || m.Timestamp == 0 {
			t.Errorf("%s", line)
		}
	}
}

func onlyFrom(lines, among []string) bool {
	return len(lines) == 2 && !slices.ContainsFunc(lines, func(l string) bool { return !slices.Contains(among, l) })
}

// open reports whether the verb may still print.
func (b *lineBuffer) open() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.ended
}

// A stream ends with its server, and the verb says so.
func TestSubscribeEndsWithTheServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s, err := demoServer(t.Context(), &world{stdout: io.Discard, stderr: io.Discard}, dir)
	if err != nil {
		t.Fatal(err)
	}
	admin := server.NewAdmin(dir)
	defer admin.Close()
	stream, err := admin.Stream(t.Context(), "/_thingwire/v1/subscribe?filter=%23")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if rest, err := io.ReadAll(stream); len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
}

// The network goes away while pubsub receives, and messages are published meanwhile: the session is resumed and they
// arrive, in order and once; the lines are those of the sample's callbacks.
func TestPubsubResumesItsSession(t *testing.T) {
	h := newHouse(t)
	wire := newCable(t, "127.0.0.1:"+h.port)
	files := h.files(t)
	out, end := h.pubsub(t, files, wire.port(), "--client-id", "watcher", "--topic", "cut", "--message", "", "--count", "3")
	if !out.await(regexp.MustCompile("^Waiting")) {
		t.Fatal(out.String())
	}
	wire.set(true)
	if !out.await(regexp.MustCompile("^Connection interrupted. error: ")) {
		t.Fatal(out.String())
	}
	client := h.connect(t, mqttConfig{clientID: "lamp"})
	for _, text := range []string{"one", "two", "three"} {
		if err := client.Publish(t.Context(), "cut", []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	wire.set(false)
	if code := end(); code != exitDone {
		t.Errorf("ended with %d", code)
	}
	_, after, _ := strings.Cut(out.String(), "Connection resumed. return_code: 0 session_present: ")
	want := "True\n" +
		"Received message from topic 'cut': b'one'\nReceived message from topic 'cut': b'two'\nReceived message from topic 'cut': b'three'\n" +
		"3 message(s) received.\nDisconnecting...\nDisconnected!\n"
	if after != want {
		t.Errorf("printed:\n%s", out.String())
	}
}

// Somebody else ends the session while the network is away: the sample subscribes again and goes on.
func TestPubsubSubscribesAgainWhenItsSessionIsLost(t *testing.T) {
	h := newHouse(t)
	wire := newCable(t, "127.0.0.1:"+h.port)
	out, end := h.pubsub(t, h.files(t), wire.port(), "--client-id", "watcher", "--topic", "cut", "--message", "", "--count", "1")
	if !out.await(regexp.MustCompile("^Waiting")) {
		t.Fatal(out.String())
	}
	wire.set(true)
	if !out.await(regexp.MustCompile("^Connection interrupted. error: ")) {
		t.Fatal(out.String())
	}
	h.connect(t, mqttConfig{clientID: "watcher", forget: true}).Close()
	wire.set(false)
	if !out.await(regexp.MustCompile("^Resubscribe results")) {
		t.Fatal(out.String())
	}
	if err := h.connect(t, mqttConfig{clientID: "lamp"}).Publish(t.Context(), "cut", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if code := end(); code != exitDone {
		t.Errorf("ended with %d", code)
	}
	_, after, _ := strings.Cut(out.String(), "Connection resumed. return_code: 0 session_present: ")
	want := "False\nSession did not persist. Resubscribing to existing topics...\n" +
		"Resubscribe results: {'topics': [('cut', <QoS.AT_LEAST_ONCE: 1>)]}\n" +
		"Received message from topic 'cut': b'x'\n1 message(s) received.\nDisconnecting...\nDisconnected!\n"
	if after != want {
		t.Errorf("printed:\n%s", out.String())
	}
}

// A message that is published while the network is away goes out when it is back, also without a session.
func TestClientPublishesAcrossACut(t *testing.T) {
	h := newHouse(t)
	wire := newCable(t, "127.0.0.1:"+h.port)
	to := h.target(t)
	to.Endpoint, to.Port = "127.0.0.1", portOf(t, wire.port())
	interrupted, resumed := make(chan error, 10), make(chan bool, 10)
	client := h.connect(t, mqttConfig{
		target: to, clientID: "lamp",
		onInterrupted: func(err error) { interrupted <- err }, onResumed: func(present bool) { resumed <- present },
	})
	wire.set(true)
	if err := <-interrupted; err == nil {
		t.Error("interrupted without a cause")
	}
	published := make(chan error, 1)
	go func() { published <- client.Publish(t.Context(), "while/away", []byte("x")) }()
	wire.set(false)
	if present := <-resumed; present {
		t.Error("a session was kept that nobody asked for")
	}
	if err := <-published; err != nil {
		t.Error(err)
	}
	if _, err := client.Subscribe(t.Context(), "again", 1); err != nil {
		t.Error(err)
	}
}

// files writes the device's files and answers the flags that name them.
func (h *house) files(t *testing.T) []string {
	t.Helper()
	f, err := reserve(t.TempDir(), h.thing.ThingName)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.write(h.thing); err != nil {
		t.Fatal(err)
	}
	return []string{"--root-ca", f.rootCA, "--cert", f.cert, "--key", f.key}
}

// pubsub starts the verb, which knows no data directory.
func (h *house) pubsub(t *testing.T, files []string, port string, flags ...string) (*lineBuffer, func() int) {
	t.Helper()
	args := slices.Concat([]string{"pubsub", "--port", port}, files, flags)
	return h.start(t, args)
}
