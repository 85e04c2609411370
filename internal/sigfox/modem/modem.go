package modem

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"
)

// What takes time on the air. A frame is sent three times on three frequencies; a modem that asked for a downlink begins to
// listen 20 seconds after it began to send, for 25 seconds.
const (
	AirTime      = 6 * time.Second
	WindowOpens  = 20 * time.Second
	WindowCloses = 45 * time.Second
)

// DownlinkBytes is the size of every downlink.
const DownlinkBytes = 8

// Uplink is what a modem sends.
type Uplink struct {
	Data     []byte // 1 to 12 bytes, none of a single bit
	Single   bool   // it is one bit
	Bit      bool
	Downlink bool // an answer is asked for
}

// Radio is what lies beyond the modem: the network and the chip's own readings. It is called from one goroutine at a time.
type Radio interface {
	// Identity is the device id in hex and the porting authorisation code.
	Identity() (id, pac string)
	// Send carries a frame to the backend and, where a downlink is asked for, waits for it: nil, or 8 bytes. An error is one
	// that a modem never hears of, since nobody tells a device that its frame was lost.
	Send(ctx context.Context, u Uplink) (downlink []byte, err error)
	// Temperature is in degrees Celsius, Voltage in volts.
	Temperature() float64
	Voltage() float64
}

// Config is what a modem is made of.
type Config struct {
	Radio Radio
	Speed float64      // how many times faster than on the air everything goes; 0 is 1
	Tell  func(string) // is told in words what was sent, refused or lost; nil for nobody
}

// Modem answers commands. Make it with New.
type Modem struct {
	radio Radio
	speed float64
	tell  func(string)
	air   chan struct{} // holds one token while a frame is on the air
}

// New makes a modem.
func New(c Config) *Modem {
	m := &Modem{radio: c.Radio, speed: c.Speed, tell: c.Tell, air: make(chan struct{}, 1)}
	if m.tell == nil {
		m.tell = func(string) {}
	}
	return m
}

// Serve answers the commands of one line until it ends, which is no error, or ctx does; it closes the line then. What comes
// while a frame is on the air waits in the line.
func (m *Modem) Serve(ctx context.Context, line io.ReadWriteCloser) error {
	stop := context.AfterFunc(ctx, func() { _ = line.Close() })
	defer func() {
		stop()
		_ = line.Close()
	}()
	var in Interpreter
	buf := make([]byte, 256)
	for {
		n, err := line.Read(buf)
		for _, c := range in.Feed(buf[:n]) {
			if err := m.do(ctx, c, line); err != nil {
				return ended(ctx, err)
			}
		}
		if err != nil {
			return ended(ctx, err)
		}
	}
}

// ended tells the ends that are none from the others.
func ended(ctx context.Context, err error) error {
	if errors.Is(err, io.EOF) || ctx.Err() != nil {
		err = nil
	}
	return err
}

// do carries one command out and answers it.
func (m *Modem) do(ctx context.Context, c Command, line io.Writer) error {
	id, pac := m.radio.Identity()
	switch c.Verb {
	case Bad:
		m.tell(fmt.Sprintf("%s is answered with ERROR: %s", strconv.QuoteToASCII(c.Line), c.Why))
		return answer(line, "ERROR")
	case Attention:
		return answer(line, "OK")
	case Product:
		return answer(line, "Thingwire virtual modem, commands of TD1208", "OK")
	case Library:
		return answer(line, "Thingwire virtual Sigfox library", "OK")
	case ID:
		return answer(line, id, "OK")
	case PAC:
		return answer(line, pac, "OK")
	case Temperature: // firmware differs; tenths of a degree, as most
		return answer(line, strconv.Itoa(int(math.Round(m.radio.Temperature()*10))), "OK")
	case Voltage: // millivolts, likewise
		return answer(line, strconv.Itoa(int(math.Round(m.radio.Voltage()*1000))), "OK")
	case Frame:
		return m.send(ctx, Uplink{Data: c.Data, Downlink: c.Downlink}, line)
	case Bit:
		return m.send(ctx, Uplink{Single: true, Bit: c.Bit, Downlink: c.Downlink}, line)
	}
	return answer(line, "ERROR")
}

// answer writes lines, each ended with CR and LF.
func answer(line io.Writer, lines ...string) error {
	var out []byte
	for _, l := range lines {
		out = append(out, l...)
		out = append(out, "\r\n"...)
	}
	_, err := line.Write(out)
	return err
}
