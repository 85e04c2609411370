package sensor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
)

// Sensor is something that can be asked for its present value.
type Sensor interface {
	// Read takes one reading. An error says why there is none now; the next Read may work. It is not safe for
	// concurrent use.
	Read(ctx context.Context) (float64, error)

	// String is the spec with which Open finds the sensor again.
	String() string

	// Close gives up what the sensor holds. It is called once.
	Close() error
}

// ErrNone is the answer of Discover on a machine without a temperature sensor.
var ErrNone = errors.New("this machine shows no temperature sensor under /sys")

// System is where sensors are looked for. The zero value is this machine.
type System struct {
	Root  string    // the folder that holds sys/; empty is /
	Stdin io.Reader // what the spec "stdin" reads; nil is this process's standard input
}

// Open opens a sensor of this machine by its spec.
func Open(spec string) (Sensor, error) { return System{}.Open(spec) }

// Discover finds a temperature sensor of this machine that gives a plausible reading: industrial I/O before hardware
// monitors before thermal zones. The error is ErrNone where there is none.
func Discover() (Sensor, error) { return System{}.Discover() }

// Open opens a sensor by its spec.
func (s System) Open(spec string) (Sensor, error) {
	kind, rest, _ := strings.Cut(spec, ":")
	switch kind {
	case "iio":
		return s.openIIO(rest)
	case "hwmon":
		return s.openHwmon(rest)
	case "thermal":
		return s.openThermal(rest)
	case "exec":
		return openCommand(rest)
	case "stdin":
		if rest != "" {
			return nil, fmt.Errorf("sensor %q: stdin takes no argument", spec)
		}
		return s.openStdin(), nil
	case "simulated":
		return openSimulated(rest)
	}
	return nil, fmt.Errorf("sensor %q: unknown kind %q; use iio:, hwmon:, thermal:, exec:, stdin or simulated:bme680", spec, kind)
}

func (s System) openStdin() Sensor {
	in := s.Stdin
	if in == nil {
		in = os.Stdin //nolint:forbidigo // a public package: a program that hands in nothing means its own
	}
	return &lines{in: in, got: make(chan line), quit: make(chan struct{})}
}

// lines reads a number per line. The goroutine that waits for the next line is started by the first Read and ends
// with the input, or with the first line after Close: a blocked read of standard input cannot be interrupted.
type lines struct {
	in      io.Reader
	got     chan line
	quit    chan struct{}
	started bool
}

type line struct {
	text string
	err  error
}

func (l *lines) Read(ctx context.Context) (float64, error) {
	if !l.started {
		l.started = true
		go l.scan()
	}
	select {
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	case next, ok := <-l.got:
		if !ok {
			return 0, io.EOF
		}
		if next.err != nil {
			return 0, next.err
		}
		return parseNumber(next.text)
	}
}

// scan hands over one line at a time and ends with the input.
func (l *lines) scan() {
	defer close(l.got)
	in := bufio.NewScanner(l.in)
	for in.Scan() {
		if !l.hand(line{text: in.Text()}) {
			return
		}
	}
	if err := in.Err(); err != nil {
		l.hand(line{err: fmt.Errorf("standard input: %w", err)})
	}
}

// hand waits until the line is taken; false when nobody will.
func (l *lines) hand(next line) bool {
	select {
	case l.got <- next:
		return true
	case <-l.quit:
		return false
	}
}

func (l *lines) String() string { return "stdin" }

func (l *lines) Close() error {
	close(l.quit)
	return nil
}

// parseNumber takes the first word of text as a finite number.
func parseNumber(text string) (float64, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return 0, errors.New("no number: the reading is empty")
	}
	v, err := strconv.ParseFloat(words[0], 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%q is not a number", words[0])
	}
	return v, nil
}
