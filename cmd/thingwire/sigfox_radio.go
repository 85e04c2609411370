package main

import (
	"context"
	"encoding/hex"
	"net/http"

	"github.com/thingwire/thingwire/internal/server"
	"github.com/thingwire/thingwire/internal/sigfox/modem"
)

// modemReadings are the chip's own.
type modemReadings struct{ temperature, voltage float64 }

func (r modemReadings) Temperature() float64 { return r.temperature }

func (r modemReadings) Voltage() float64 { return r.voltage }

// noBackend is a radio that nobody hears: the modem answers, frames go nowhere.
type noBackend struct{ modemReadings }

func (noBackend) Identity() (id, pac string) { return "0", "0000000000000000" }

func (noBackend) Send(context.Context, modem.Uplink) ([]byte, error) { return nil, nil }

// backendRadio is one that a server's Sigfox backend hears, as one of its devices.
type backendRadio struct {
	modemReadings
	client  *server.Client
	id, pac string
	heard   func(*server.SigfoxUplinked) // is shown what the backend says of each frame
}

// newBackendRadio asks the server who the device is.
func newBackendRadio(ctx context.Context, client *server.Client, device string, own modemReadings) (*backendRadio, error) {
	var d server.SigfoxDevice
	if err := client.Do(ctx, server.Call{Method: http.MethodGet, Path: server.SigfoxPath("devices", device), Out: &d}); err != nil {
		return nil, err
	}
	return &backendRadio{modemReadings: own, client: client, id: d.ID, pac: d.PAC}, nil
}

func (r *backendRadio) Identity() (id, pac string) { return r.id, r.pac }

// Send makes a message of a frame. One bit is a byte that is 00 or 01: Sigfox does not say how it shows one.
func (r *backendRadio) Send(ctx context.Context, u modem.Uplink) ([]byte, error) {
	data := u.Data
	switch {
	case u.Single && u.Bit:
		data = []byte{1}
	case u.Single:
		data = []byte{0}
	}
	m, err := r.client.SendSigfoxUplink(ctx, r.id, &server.SigfoxUplink{Data: hex.EncodeToString(data), Ack: u.Downlink, Await: u.Downlink})
	if err != nil {
		return nil, err
	}
	r.heard(m)
	return hex.DecodeString(m.Downlink)
}
