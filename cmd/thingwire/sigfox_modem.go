package main

import (
	"context"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/thingwire/thingwire/internal/server"
	"github.com/thingwire/thingwire/internal/sigfox/modem"
)

// modemOptions are the flags of sigfox modem.
type modemOptions struct {
	device               string
	tcp                  string
	tcpAnywhere, pty     bool
	sketch               string
	padded               bool
	speed                float64
	temperature, voltage float64
}

func newSigfoxModem(w *world) *cobra.Command {
	var o modemOptions
	cmd := &cobra.Command{
		Use:   "modem",
		Short: "A Sigfox modem without a radio, on a TCP port or a pseudo-terminal",
		Long: `Answers the AT commands of a TD1208 or LE51 modem as firmware expects them, in the time of the air: AT, +++, AT$I=10 and 11,
AT$SF=<hex>[,1], AT$SB=<bit>[,1], AT$TM?, AT$V?. With --sketch it is also the board in front of it: it runs the sketch of Sigfox's
AWS how-to on the readings given, with its missing zero padding or, with --padded, without, and says what became of each. With --device its frames become messages of
that device in a server's Sigfox backend, and downlinks come from there; without, they are only shown.`,
		Example: `  thingwire sigfox modem --device 4D3091 --pty       open the terminal it names at 19200 baud
  thingwire sigfox modem --device 4D3091 --tcp 127.0.0.1:7000 --speed 60
  thingwire sigfox modem --sketch 25.1,25.0,23.0625 --speed 1000`,
		Args: none,
	}
	at := reachFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.device, "device", "", "id of the Sigfox device that this is the modem of")
	f.StringVar(&o.tcp, "tcp", "", "address to listen on, as in 127.0.0.1:7000; port 0 takes a free one")
	f.BoolVar(&o.tcpAnywhere, "tcp-anywhere", false, "let --tcp be reached from other machines: whoever connects can send")
	f.BoolVar(&o.pty, "pty", false, "open a pseudo-terminal (on Linux)")
	f.StringVar(&o.sketch, "sketch", "", "readings in degrees Celsius for the how-to's sketch, as in 25.1,25.0; one every 15 minutes")
	f.BoolVar(&o.padded, "padded", false, "let the sketch print each byte with two digits")
	f.Float64Var(&o.speed, "speed", 1, "how many times faster than real time everything goes; as the server's --sigfox-speed, if that has one")
	f.Float64Var(&o.temperature, "temperature", 21.5, "what the modem's own thermometer reads, in degrees Celsius")
	f.Float64Var(&o.voltage, "voltage", 3.3, "what the modem's supply reads, in volts")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		readings, err := o.check()
		if err != nil {
			return err
		}
		own := modemReadings{o.temperature, o.voltage}
		if o.device == "" {
			w.printf("There is no backend behind this modem: frames go nowhere and are only shown\n")
			return runModem(cmd.Context(), w, &o, &noBackend{own}, readings)
		}
		client, err := w.client(at)
		if err != nil {
			return err
		}
		defer client.Close()
		radio, err := newBackendRadio(cmd.Context(), client, o.device, own)
		if err != nil {
			return err
		}
		radio.heard = func(m *server.SigfoxUplinked) { w.uplinked(m, false) }
		return runModem(cmd.Context(), w, &o, radio, readings)
	}
	return cmd
}

// check wants something for the modem to do, and reads the readings.
func (o *modemOptions) check() ([]float64, error) {
	switch {
	case o.tcp == "" && !o.pty && o.sketch == "":
		return nil, usage("say where the modem is: --tcp ADDR, --pty or --sketch READINGS")
	case o.padded && o.sketch == "":
		return nil, usage("--padded is for --sketch")
	case !(o.speed >= 1e-3 && o.speed <= 1e6): // NaN is neither
		return nil, usage("--speed is %v; use 1, or more to go faster", o.speed)
	}
	var readings []float64
	for text := range strings.SplitSeq(o.sketch, ",") {
		if o.sketch == "" {
			break
		}
		reading, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil || math.IsNaN(reading) || math.Abs(reading) > math.MaxFloat32 {
			return nil, usage("--sketch has %q; use degrees, with commas between them", text)
		}
		readings = append(readings, reading)
	}
	return readings, nil
}

// runModem serves the modem's lines until ctx ends, or, with nothing but a sketch, until that has no more readings.
func runModem(ctx context.Context, w *world, o *modemOptions, radio modem.Radio, readings []float64) error {
	m := modem.New(modem.Config{Radio: radio, Speed: o.speed, Tell: func(text string) { w.printf("modem: %s\n", plainText(text)) }})
	var lines []func(context.Context) error
	var opened []io.Closer
	defer func() {
		for _, c := range opened {
			_ = c.Close() // those that served are closed already
		}
	}()
	if o.tcp != "" {
		l, err := listenModem(ctx, o)
		if err != nil {
			return err
		}
		opened = append(opened, l)
		w.printf("The modem is on tcp %s\n", l.Addr())
		lines = append(lines, func(ctx context.Context) error { return serveTCP(ctx, w, m, l) })
	}
	if o.pty {
		p, err := openPTY()
		if err != nil {
			return err
		}
		opened = append(opened, p)
		w.printf("The modem is on %s\n", p.path)
		lines = append(lines, func(ctx context.Context) error { return m.Serve(ctx, p) })
	}
	if len(readings) > 0 {
		lines = append(lines, func(ctx context.Context) error { return runSketch(ctx, w, m, o, readings) })
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, line := range lines {
		g.Go(func() error { return line(ctx) })
	}
	return g.Wait()
}

// runSketch is the board: its sketch and the line to its modem.
func runSketch(ctx context.Context, w *world, m *modem.Modem, o *modemOptions, readings []float64) error {
	board := func(text string) { w.printf("sketch: %s\n", text) }
	r, line := io.Pipe()
	sketch := &modem.Sketch{Padded: o.padded, Speed: o.speed, Modem: line, Print: board, Tell: board, Read: func() (float64, bool) {
		if len(readings) == 0 {
			return 0, false
		}
		next := readings[0]
		readings = readings[1:]
		return next, true
	}}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return m.Serve(ctx, unread{r}) })
	g.Go(func() error {
		err := sketch.Run(ctx)
		_ = line.Close()                      // always succeeds
		if errors.Is(err, io.ErrClosedPipe) { // the modem was asked to stop
			err = nil
		}
		return err
	})
	return g.Wait()
}

// unread is a line whose answers nobody reads: the sketch does not.
type unread struct{ *io.PipeReader }

func (unread) Write(p []byte) (int, error) { return len(p), nil }
