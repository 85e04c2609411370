package modem

import (
	"context"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// Interval is the pause of the sketch between two readings.
const Interval = 15 * time.Minute

// Sketch is the program that Sigfox's AWS how-to puts on a SmartEverything board: it reads a thermometer and sends the
// reading as a float. It does what the Arduino does, so that what comes of it can be seen without one.
type Sketch struct {
	// Padded prints two digits of each byte. The sketch itself prints with print(x, HEX), which leaves a leading zero out: a
	// byte below 0x10 is one digit, and what follows it shifts.
	Padded bool
	Speed  float64                // how many times faster than 15 minutes its loop runs; 0 is 1
	Read   func() (float64, bool) // the thermometer, in degrees Celsius; false ends the sketch
	Print  func(serialUSB string) // a line on the board's own console
	Modem  io.Writer              // where the modem is; the sketch never reads its answers
	Tell   func(diagnosis string) // is told what the missing zeros did to a reading; nil for nobody
}

// Run is setup and then loop, until there are no more readings.
func (s *Sketch) Run(ctx context.Context) error {
	if _, err := io.WriteString(s.Modem, "+++"); err != nil {
		return err
	}
	s.Print("Sigfox ready")
	s.Print("Temperature sensor OK")
	for first := true; ; first = false {
		if !first && !sleep(ctx, faster(Interval, s.Speed)) {
			return nil
		}
		temperature, ok := s.Read()
		if !ok {
			return nil
		}
		fval := float32(temperature)
		if _, err := s.Modem.Write(SketchCommand(fval, s.Padded)); err != nil {
			return err
		}
		s.Print("Message sent")
		if why := Diagnose(fval); why != "" && !s.Padded && s.Tell != nil {
			s.Tell(why)
		}
	}
}

// SketchCommand is what the sketch prints to its modem for a reading: AT$SF= and the float's bytes from the most significant
// to the least, each as print(x, HEX) writes it or, padded, with two digits.
func SketchCommand(celsius float32, padded bool) []byte {
	out := []byte("AT$SF=")
	for _, b := range floatBytes(celsius) {
		if padded {
			out = fmt.Appendf(out, "%02X", b)
		} else {
			out = fmt.Appendf(out, "%X", b)
		}
	}
	return append(out, '\r')
}

// floatBytes are those of the memory from index 3 down to 0: the board is little-endian, so this is big-endian, the default of
// temp::float:32.
func floatBytes(celsius float32) [4]byte {
	bits := math.Float32bits(celsius)
	return [4]byte{byte(bits >> 24), byte(bits >> 16), byte(bits >> 8), byte(bits)}
}

// Diagnose says what the sketch's missing zero padding does to a reading; nothing where all its bytes have two digits.
func Diagnose(celsius float32) string {
	sent := strings.TrimSuffix(strings.TrimPrefix(string(SketchCommand(celsius, false)), "AT$SF="), "\r")
	lost := 8 - len(sent)
	if lost == 0 {
		return ""
	}
	what := fmt.Sprintf("%v degrees are the bytes % X, the sketch prints %s: ", celsius, floatBytes(celsius), sent)
	if lost == 1 {
		what += "one byte below 0x10 lost its leading zero; "
	} else {
		what += fmt.Sprintf("%d bytes below 0x10 lost their leading zeros; ", lost)
	}
	if lost%2 == 1 {
		return what + fmt.Sprintf("the modem answers ERROR to %d digits, while the sketch prints \"Message sent\"", len(sent))
	}
	return what + fmt.Sprintf("the frame has %d bytes where temp::float:32 needs 4 and reads null", len(sent)/2)
}
