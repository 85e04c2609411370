package modem

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// radio remembers what it sent and answers as it is told.
type radio struct {
	mu       sync.Mutex
	sent     []Uplink
	takes    time.Duration
	downlink []byte
	err      error
}

func (r *radio) Identity() (id, pac string) { return "2DC7C1", "0123456789ABCDEF" }

func (r *radio) Temperature() float64 { return 23.46 }

func (r *radio) Voltage() float64 { return 3.305 }

func (r *radio) Send(ctx context.Context, u Uplink) ([]byte, error) {
	r.mu.Lock()
	r.sent = append(r.sent, u)
	r.mu.Unlock()
	if r.takes > 0 && !sleep(ctx, r.takes) {
		return nil, ctx.Err()
	}
	return r.downlink, r.err
}

// session is a modem at work and the other end of its line, inside a bubble.
type session struct {
	t    *testing.T
	line net.Conn
	in   *bufio.Reader
	told []string
	stop context.CancelFunc
	end  chan error
}

func start(t *testing.T, r *radio, speed float64) *session {
	near, far := net.Pipe()
	ctx, stop := context.WithCancel(context.Background())
	s := &session{t: t, line: near, in: bufio.NewReader(near), stop: stop, end: make(chan error, 1)}
	m := New(Config{Radio: r, Speed: speed, Tell: func(text string) { s.told = append(s.told, text) }})
	go func() { s.end <- m.Serve(ctx, far) }()
	return s
}

func (s *session) send(text string) {
	s.t.Helper()
	if _, err := io.WriteString(s.line, text); err != nil {
		s.t.Fatal(err)
	}
}

// expect reads lines and says how long after began each came.
func (s *session) expect(began time.Time, lines ...string) {
	s.t.Helper()
	for _, want := range lines {
		line, err := s.in.ReadString('\n')
		if err != nil {
			s.t.Fatal(err)
		}
		text, at, _ := strings.Cut(want, " @")
		if line != text+"\r\n" {
			s.t.Fatalf("got %q, want %q", line, text)
		}
		if got := time.Since(began).String(); at != "" && got != at {
			s.t.Fatalf("%s came after %s, want %s", text, got, at)
		}
	}
}

// hangUp ends the line from the other side, which is no error.
func (s *session) hangUp() {
	s.t.Helper()
	_ = s.line.Close()
	if err := <-s.end; err != nil {
		s.t.Error(err)
	}
	s.stop()
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		input string
		want  []string
	}{
		{"AT\r", []string{"OK"}},
		{"+++", []string{"OK"}},
		{"AT$I=10\r", []string{"2DC7C1", "OK"}},
		{"AT$I=11\r", []string{"0123456789ABCDEF", "OK"}},
		{"AT$I=0\r", []string{"Thingwire virtual modem, commands of TD1208", "OK"}},
		{"AT/L\r", []string{"Thingwire virtual Sigfox library", "OK"}},
		{"AT$TM?\r", []string{"235", "OK"}},
		{"AT$T?\r", []string{"235", "OK"}},
		{"AT$V?\r", []string{"3305", "OK"}},
		{"AT$SF=41B8800\r", []string{"ERROR"}},
		{"AT$SF=0102030405060708090a0b0c0d\r", []string{"ERROR"}},
		{"nonsense\r", []string{"ERROR"}},
	} {
		t.Run(c.input, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := &radio{}
				s := start(t, r, 1)
				s.send(c.input)
				s.expect(time.Now(), c.want...)
				s.hangUp()
				if len(r.sent) != 0 {
					t.Errorf("sent %+v", r.sent)
				}
			})
		})
	}
}

func TestSendingTakesTheTimeOfTheAir(t *testing.T) {
	t.Parallel()
	downlink, _ := hex.DecodeString("00112233445566AA")
	for _, c := range []struct {
		name, input string
		radio       *radio
		speed       float64
		want        []string
		told        string
	}{
		{"frame", "AT$SF=41c8CCcd\r", &radio{}, 1, []string{"OK @6s"}, "frame 41C8CCCD was sent"},
		{"twelve bytes", "AT$SF=0102030405060708090a0b0c\r", &radio{}, 0, []string{"OK @6s"}, "frame 0102030405060708090A0B0C was sent"},
		{"one byte, sixty times as fast", "AT$SF=01\r", &radio{}, 60, []string{"OK @100ms"}, "frame 01 was sent"},
		{"bit", "AT$SB=1\r", &radio{}, 1, []string{"OK @6s"}, "frame of one bit, true, was sent"},
		{
			"downlink", "AT$SF=01,1\r",
			&radio{downlink: downlink, takes: 9 * time.Second},
			1,
			[]string{"OK @6s", "+RX BEGIN @20s", "+RX=00 11 22 33 44 55 66 aa @20s", "+RX END @20s"},
			"frame 01 was sent; downlink 00112233445566AA came",
		},
		{
			"downlink of a bit", "AT$SB=0,1\r",
			&radio{downlink: downlink},
			100,
			[]string{"OK @60ms", "+RX BEGIN @200ms", "+RX=00 11 22 33 44 55 66 aa @200ms", "+RX END"},
			"frame of one bit, false, was sent; downlink 00112233445566AA came",
		},
		{"no downlink", "AT$SF=01,1\r", &radio{}, 1, []string{"OK @6s", "+RX BEGIN @20s", "+RX END @45s"}, "frame 01 was sent; no downlink came"},
		{
			"a backend slower than the clock", "AT$SF=01,1\r",
			&radio{downlink: downlink, takes: time.Second},
			100,
			[]string{"OK @60ms", "+RX BEGIN @200ms", "+RX=00 11 22 33 44 55 66 aa @1s", "+RX END"},
			"frame 01 was sent; downlink 00112233445566AA came",
		},
		{
			"lost", "AT$SF=01\r",
			&radio{err: errors.New("nobody heard it")},
			1,
			[]string{"OK @6s"},
			"frame 01 was lost: nobody heard it; a modem cannot know and answers OK",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := start(t, c.radio, c.speed)
				began := time.Now()
				s.send(c.input)
				s.expect(began, c.want...)
				s.hangUp()
				if len(c.radio.sent) != 1 || !slices.Equal(s.told, []string{c.told}) {
					t.Errorf("sent %+v, told %q", c.radio.sent, s.told)
				}
			})
		})
	}
}

// A modem does not know quotas: the 141st message of a day is sent as the others, the backend marks it.
func TestThe141stMessageIsSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &radio{}
		s := start(t, r, 1)
		for range 141 {
			s.send("AT$SF=01\r")
			s.expect(time.Now(), "OK")
		}
		s.hangUp()
		if len(r.sent) != 141 {
			t.Errorf("sent %d", len(r.sent))
		}
	})
}

func TestTwoLinesShareTheAir(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &radio{}
		m := New(Config{Radio: r})
		began := time.Now()
		var done sync.WaitGroup
		took := make([]string, 2)
		for i := range took {
			near, far := net.Pipe()
			done.Go(func() { _ = m.Serve(t.Context(), far) })
			done.Go(func() {
				_, _ = io.WriteString(near, "AT$SF=01\r")
				_, _ = bufio.NewReader(near).ReadString('\n')
				took[i] = time.Since(began).String()
				_ = near.Close()
			})
		}
		done.Wait()
		slices.Sort(took)
		if !slices.Equal(took, []string{"12s", "6s"}) {
			t.Errorf("took %v", took)
		}
	})
}

func TestTheEndOfTheContextEndsTheLine(t *testing.T) {
	t.Parallel()
	for _, input := range []string{"AT$SF=01\r", "AT$SF=01,1\r", "AT$SF=0"} {
		synctest.Test(t, func(t *testing.T) {
			s := start(t, &radio{takes: time.Hour}, 1)
			s.send(input)
			synctest.Wait()
			s.stop()
			if err := <-s.end; err != nil {
				t.Errorf("%q: %v", input, err)
			}
			_ = s.line.Close()
		})
	}
}

// A line that ends while a frame is on the air takes nothing back.
func TestAFrameOutlivesItsLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &radio{takes: time.Second}
		s := start(t, r, 1)
		s.send("AT$SF=01\r")
		_ = s.line.Close()
		if err := <-s.end; !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("ended with %v", err)
		}
		if want := []string{"frame 01 was sent"}; !slices.Equal(s.told, want) {
			t.Errorf("told %q", s.told)
		}
		s.stop()
	})
}

// readings is a thermometer with a few readings.
func readings(all ...float64) func() (float64, bool) {
	return func() (float64, bool) {
		if len(all) == 0 {
			return 0, false
		}
		next := all[0]
		all = all[1:]
		return next, true
	}
}

func TestTheSketchRunsEveryQuarterOfAnHour(t *testing.T) {
	t.Parallel()
	for _, padded := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var board, diagnosis []string
			var modem strings.Builder
			began := time.Now()
			s := &Sketch{
				Padded: padded, Read: readings(25.1, 25, 23.0625), Modem: &modem,
				Print: func(line string) { board = append(board, fmt.Sprintf("%s %s", time.Since(began), line)) },
				Tell:  func(text string) { diagnosis = append(diagnosis, text) },
			}
			if err := s.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			want, says := "+++AT$SF=41C8CCCD\rAT$SF=41C800\rAT$SF=41B8800\r", 2
			if padded {
				want, says = "+++AT$SF=41C8CCCD\rAT$SF=41C80000\rAT$SF=41B88000\r", 0
			}
			if modem.String() != want || len(diagnosis) != says {
				t.Errorf("sent %q, said %q", modem.String(), diagnosis)
			}
			if want := []string{"0s Sigfox ready", "0s Temperature sensor OK", "0s Message sent", "15m0s Message sent", "30m0s Message sent"}; !slices.Equal(board, want) {
				t.Errorf("printed %q", board)
			}
		})
	}
}

func TestTheSketchStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		s := &Sketch{Read: readings(1, 2), Modem: io.Discard, Print: func(string) {}}
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
		_, closed := net.Pipe()
		_ = closed.Close()
		if s := (&Sketch{Read: readings(1, 2), Modem: closed, Print: func(string) {}}); s.Run(t.Context()) == nil {
			t.Error("a modem that is gone is no error")
		}
	})
}
