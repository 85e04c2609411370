package sensor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ErrSimulated is the failure that a simulated sensor was told to have.
var ErrSimulated = errors.New("the simulated sensor did not answer")

// bme680 is a room's temperature as a BME680 would show it: it follows the day slowly, the sun and a heating within
// the hour, and trembles in the last digit. The same moment always gives the same value.
type bme680 struct {
	failEvery, reads int
}

// openSimulated takes what follows "simulated:".
func openSimulated(rest string) (Sensor, error) {
	model, query, _ := strings.Cut(rest, "?")
	if model != "bme680" {
		return nil, fmt.Errorf("sensor %q: the only simulated sensor is simulated:bme680", "simulated:"+rest)
	}
	options, err := url.ParseQuery(query)
	if err != nil {
		return nil, fmt.Errorf("sensor %q: %w", "simulated:"+rest, err)
	}
	s := &bme680{}
	for key, values := range options {
		n, err := strconv.Atoi(values[len(values)-1])
		if key != "fail-every" || err != nil || n < 1 {
			return nil, fmt.Errorf("sensor %q: the only option is fail-every=N with N of 1 or more", "simulated:"+rest)
		}
		s.failEvery = n
	}
	return s, nil
}

func (s *bme680) Read(ctx context.Context) (float64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.reads++
	if s.failEvery > 0 && s.reads%s.failEvery == 0 {
		return 0, ErrSimulated
	}
	return roomTemperature(time.Now()), nil
}

// roomTemperature is between 20 and 27 degrees, in the steps of 0.01 that a BME680 gives.
func roomTemperature(now time.Time) float64 {
	seconds := float64(now.UnixMilli()) / 1000
	day := 1.8 * math.Sin(2*math.Pi*(seconds/86_400-0.375)) // warmest in the afternoon
	heating := 0.6 * math.Sin(2*math.Pi*seconds/2_700)
	draught := 0.15 * math.Sin(2*math.Pi*seconds/173)
	tremble := 0.02 * math.Sin(seconds*1.7)
	return math.Round((23.6+day+heating+draught+tremble)*100) / 100
}

func (s *bme680) String() string {
	if s.failEvery > 0 {
		return fmt.Sprintf("simulated:bme680?fail-every=%d", s.failEvery)
	}
	return "simulated:bme680"
}

func (s *bme680) Close() error { return nil }
