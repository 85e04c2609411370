package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/thingwire/thingwire/device/sensor"
)

// reading is the message of the tutorial "Publishing to AWS": a value, or null and "fail" where the sensor gave none.
type reading struct {
	Timestamp int64    `json:"utc_timestamp"` // Unix seconds
	Value     *float64 `json:"value"`
	Origin    string   `json:"origin"`
	Status    string   `json:"status"`
}

// take reads the sensor and packs it up. The error is the sensor's; the reading is good to send all the same.
func take(ctx context.Context, s sensor.Sensor, origin string, now time.Time) (reading, error) {
	r := reading{Timestamp: now.Unix(), Origin: origin, Status: "success"}
	v, err := s.Read(ctx)
	if err != nil {
		r.Status = "fail"
		return r, err
	}
	r.Value = &v
	return r, nil
}

// sensorLoop is the tutorial's loop: get a reading, pack it up, publish it, wait.
type sensorLoop struct {
	sensor   sensor.Sensor
	origin   string
	interval time.Duration
	publish  func(ctx context.Context, payload []byte) error
	failed   func(err error) // told of each reading that failed
}

// run goes on until ctx ends or a message cannot be published.
func (l *sensorLoop) run(ctx context.Context) error {
	pause := time.NewTicker(l.interval)
	defer pause.Stop()
	for {
		r, err := take(ctx, l.sensor, l.origin, time.Now())
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			l.failed(err)
		}
		payload, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if err := l.publish(ctx, payload); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-pause.C:
		}
	}
}
