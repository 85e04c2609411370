package backend

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingwire/thingwire/internal/sigfox/delivery"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/mem"
)

// sent is one request that the receiver got.
type sent struct {
	*delivery.Request
	at time.Time
}

// receiver is a Sender that answers as a test says.
type receiver struct {
	mu     sync.Mutex
	got    []sent
	answer func(ctx context.Context, r *delivery.Request) delivery.Outcome
}

func (r *receiver) Deliver(ctx context.Context, q *delivery.Request) delivery.Outcome {
	r.mu.Lock()
	r.got = append(r.got, sent{q, time.Now()})
	answer := r.answer
	r.mu.Unlock()
	o := answer(ctx, q)
	o.OK, o.At = o.Status/100 == 2, time.Now()
	o.Attempted = delivery.Sent{Method: q.Method, URL: q.URL, ContentType: q.ContentType, Headers: q.Headers, Body: q.Body}
	return o
}

func (r *receiver) set(answer func(ctx context.Context, q *delivery.Request) delivery.Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

// says answers everything alike.
func says(status int, info, body string) func(context.Context, *delivery.Request) delivery.Outcome {
	return func(context.Context, *delivery.Request) delivery.Outcome {
		return delivery.Outcome{Status: status, Info: info, Answer: []byte(body)}
	}
}

// hangs answers after so long.
func hangs(d time.Duration, then func(context.Context, *delivery.Request) delivery.Outcome) func(context.Context, *delivery.Request) delivery.Outcome {
	return func(ctx context.Context, q *delivery.Request) delivery.Outcome {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return then(ctx, q)
		case <-ctx.Done():
			return delivery.Outcome{Interrupted: true}
		}
	}
}

func (r *receiver) all() []sent {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// bodies are those of all requests.
func (r *receiver) bodies() []string {
	var all []string
	for _, s := range r.all() {
		all = append(all, s.Body)
	}
	return all
}

// world is a backend with one device type and one device, in a bubble.
type world struct {
	*testing.T
	*Backend
	store    *mem.Store
	receiver *receiver
	cfg      Config
	kind     *DeviceType
	began    time.Time
}

const dev = "4D3091"

// bubble runs a test on a backend with fake time.
func bubble(t *testing.T, cfg Config, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, cfg)
		defer w.close()
		test(w)
	})
}

func newWorld(t *testing.T, cfg Config) *world {
	t.Helper()
	w := &world{T: t, store: mem.New(), receiver: &receiver{answer: says(200, "OK", "")}, cfg: cfg, began: time.Now()}
	w.cfg.Store, w.cfg.Sender = w.store, w.receiver
	w.open()
	kind, err := w.CreateDeviceType(*NewDeviceType("type"))
	w.must(err)
	w.kind = kind
	_, err = w.CreateDevice(w.Context(), Device{ID: dev, DeviceType: kind.ID})
	w.must(err)
	return w
}

func (w *world) open() {
	w.Helper()
	b, err := Open(w.Context(), w.cfg)
	w.must(err)
	w.Backend = b
	b.Start()
}

// close also looks through the store.
func (w *world) close() {
	w.Helper()
	w.Close()
	problems, err := Check(context.Background(), w.store)
	if err != nil || len(problems) > 0 {
		w.Errorf("the store is not well: %q, %v", problems, err)
	}
	w.must(w.store.Close())
}

// restart is a stop and a start.
func (w *world) restart() {
	w.Helper()
	w.Close()
	w.open()
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// callback saves one; what is usual is filled in.
func (w *world) callback(c Callback) *CallbackStatus {
	w.Helper()
	c.DeviceType, c.Enabled = w.kind.ID, true
	if c.Channel == "" {
		c.Channel = ChannelURL
	}
	if c.Subtype == 0 && c.Type == 0 {
		c.Subtype = 2
	}
	if c.URL == "" && c.Channel == ChannelURL {
		c.URL = "https://example.org/in"
	}
	if c.Channel == ChannelURL && c.Method == "" && c.Body != "" && c.ContentType == "" {
		c.ContentType = "text/plain"
	}
	s, err := w.CreateCallback(w.Context(), c, "")
	w.must(err)
	return s
}

// uplink sends a frame from the device, in hexadecimal digits.
func (w *world) uplink(data string) *Message {
	w.Helper()
	return w.send(Frame{Device: dev, Data: unhex(w.T, data)})
}

func (w *world) send(f Frame) *Message {
	w.Helper()
	m, err := w.Uplink(w.Context(), f)
	w.must(err)
	return m
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// show is a message as the list has it, once everything rests.
func (w *world) show(m *Message) *Listed {
	w.Helper()
	synctest.Wait()
	l, err := w.Show(w.Context(), m.Device, m.Number)
	w.must(err)
	return l
}

// after lets time pass.
func (w *world) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// requests are the times of what the receiver got, since the test began, and the lines that they carried.
func (w *world) requests() string {
	synctest.Wait()
	var all []string
	for _, s := range w.receiver.all() {
		all = append(all, s.at.Sub(w.began).Truncate(time.Millisecond).String()+" "+s.Body)
	}
	return strings.Join(all, "\n")
}

// docs counts the documents of a bucket.
func (w *world) docs(bucket string) int {
	w.Helper()
	n := 0
	for _, err := range store.Docs(w.store).List(w.Context(), bucket, "", "", 0) {
		w.must(err)
		n++
	}
	return n
}

func (w *world) want(what string, got, want any) {
	w.Helper()
	if got != want {
		w.Errorf("%s: got %v, want %v", what, got, want)
	}
}

var errDisk = errors.New("the disk is on fire")

func headers(name, value string) []Header { return []Header{{Name: name, Value: value}} }
