package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// script is a sensor that gives what it is told; nil is a failure.
type script struct{ values []*float64 }

var errWire = errors.New("the wire is loose")

func (s *script) Read(context.Context) (float64, error) {
	v := s.values[0]
	s.values = s.values[1:]
	if v == nil {
		return 0, errWire
	}
	return *v, nil
}

func (s *script) String() string { return "script" }

func (s *script) Close() error { return nil }

// The messages are those of the tutorial "Publishing to AWS", byte for byte but for its line breaks.
func TestSensorLoopPublishesTheTutorialsMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		time.Sleep(time.Until(time.Unix(1581417910, 0))) // the bubble's clock begins in 2000
		warm, cold := 23.6, 0.0
		var got, failures []string
		loop := sensorLoop{
			sensor: &script{[]*float64{&warm, nil, &cold}}, origin: "BME680 temperature", interval: 15 * time.Second,
			publish: func(_ context.Context, payload []byte) error {
				if got = append(got, string(payload)); len(got) == 3 {
					stop()
				}
				return nil
			},
			failed: func(err error) { failures = append(failures, err.Error()) },
		}
		if err := loop.run(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		want := []string{
			`{"utc_timestamp":1581417910,"value":23.6,"origin":"BME680 temperature","status":"success"}`,
			`{"utc_timestamp":1581417925,"value":null,"origin":"BME680 temperature","status":"fail"}`,
			`{"utc_timestamp":1581417940,"value":0,"origin":"BME680 temperature","status":"success"}`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{errWire.Error()}, failures); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSensorLoopEndsWhenNothingCanBePublished(t *testing.T) {
	warm, lost := 23.6, errors.New("lost")
	loop := sensorLoop{
		sensor: &script{[]*float64{&warm}}, interval: time.Hour,
		publish: func(context.Context, []byte) error { return lost },
	}
	if err := loop.run(t.Context()); !errors.Is(err, lost) {
		t.Error(err)
	}
}
