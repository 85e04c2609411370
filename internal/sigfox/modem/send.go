package modem

import (
	"context"
	"fmt"
	"io"
	"time"
)

// flight is a frame on its way: Send's answer is there when done is closed.
type flight struct {
	Uplink
	began    time.Time
	done     chan struct{}
	downlink []byte
	err      error
}

// send puts a frame on the air and answers when the frame is out and, where it asked for one, the downlink is there.
func (m *Modem) send(ctx context.Context, u Uplink, line io.Writer) error {
	select {
	case m.air <- struct{}{}:
		defer func() { <-m.air }()
	case <-ctx.Done():
		return ctx.Err()
	}
	f := &flight{Uplink: u, began: time.Now(), done: make(chan struct{})}
	go func() {
		defer close(f.done)
		f.downlink, f.err = m.radio.Send(ctx, u)
	}()
	err := m.answerSend(ctx, f, line)
	<-f.done // also when the line failed: the frame is on the air
	m.tell(f.String())
	return err
}

// answerSend answers in the time of the air. It waits for Send too: OK means that the frame is where it can be looked at,
// and with a speed-up the window does not close before the backend has answered.
func (m *Modem) answerSend(ctx context.Context, f *flight, line io.Writer) error {
	if !f.Downlink {
		<-f.done
		return m.answerAt(ctx, f, AirTime, line, "OK")
	}
	if err := m.answerAt(ctx, f, AirTime, line, "OK"); err != nil {
		return err
	}
	if err := m.answerAt(ctx, f, WindowOpens, line, "+RX BEGIN"); err != nil {
		return err
	}
	<-f.done
	if len(f.downlink) == 0 {
		return m.answerAt(ctx, f, WindowCloses, line, "+RX END")
	}
	return answer(line, fmt.Sprintf("+RX=% x", f.downlink), "+RX END")
}

// answerAt answers at a time after the frame began, or at once if that is over.
func (m *Modem) answerAt(ctx context.Context, f *flight, after time.Duration, line io.Writer, text string) error {
	if !sleep(ctx, time.Until(f.began.Add(faster(after, m.speed)))) {
		return ctx.Err()
	}
	return answer(line, text)
}

// faster is a duration on a clock that runs speed times as fast; 0 is as fast.
func faster(d time.Duration, speed float64) time.Duration {
	if speed <= 0 {
		return d
	}
	return time.Duration(float64(d) / speed)
}

// sleep is false when ctx ended it.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// String says what became of a frame.
func (f *flight) String() string {
	what := fmt.Sprintf("frame %X", f.Data)
	if f.Single {
		what = fmt.Sprintf("frame of one bit, %t,", f.Bit)
	}
	switch {
	case f.err != nil:
		return fmt.Sprintf("%s was lost: %v; a modem cannot know and answers OK", what, f.err)
	case !f.Downlink:
		return what + " was sent"
	case len(f.downlink) == 0:
		return what + " was sent; no downlink came"
	}
	return fmt.Sprintf("%s was sent; downlink %X came", what, f.downlink)
}
