package control

import (
	"time"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/broker"
)

// connectivity is the answer of GetThingConnectivityData. Of a client of whom nothing is known only the first two members
// are there (AWS IoT API reference).
type connectivity struct {
	ThingName         string        `json:"thingName"`
	Connected         bool          `json:"connected"`
	Timestamp         *epoch        `json:"timestamp,omitempty"` // of the last connect or disconnect
	DisconnectReason  broker.Reason `json:"disconnectReason,omitempty"`
	SourceIP          string        `json:"sourceIp,omitempty"`
	SourcePort        uint16        `json:"sourcePort,omitempty"`
	TargetIP          string        `json:"targetIp,omitempty"`
	TargetPort        uint16        `json:"targetPort,omitempty"`
	KeepAliveDuration *int64        `json:"keepAliveDuration,omitempty"` // seconds
	CleanSession      *bool         `json:"cleanSession,omitempty"`
	SessionExpiry     *int64        `json:"sessionExpiry,omitempty"` // seconds
	ClientID          string        `json:"clientId,omitempty"`
}

// noReason is what AWS says of a client that is connected.
const noReason broker.Reason = "NONE"

// getThingConnectivityData tells of the client whose id is the name of a registered thing (developer guide, "Device
// connectivity status queries").
func getThingConnectivityData(c *call) (any, error) {
	var in struct {
		IncludeSocketInformation bool `json:"includeSocketInformation"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	t, err := c.registry().DescribeThing(c.Context(), c.labels["thingName"])
	if err != nil {
		return nil, err
	}
	info, known := c.cfg.Connectivity(t.Name)
	if !known {
		return connectivity{ThingName: t.Name}, nil
	}
	out := connectivity{
		ThingName: t.Name, Connected: info.Connected, DisconnectReason: info.Reason, ClientID: info.ClientID,
		CleanSession: &info.CleanSession, SessionExpiry: seconds(info.SessionExpiry),
	}
	if info.Connected {
		out.DisconnectReason = noReason
	}
	if info.Since != 0 {
		at := epoch(time.UnixMilli(info.Since))
		out.Timestamp = &at
	}
	if info.Socket.KeepAlive != 0 {
		out.KeepAliveDuration = seconds(info.Socket.KeepAlive)
	}
	if in.IncludeSocketInformation {
		out.SourceIP, out.SourcePort = awsapi.EndOf(info.Socket.Source)
		out.TargetIP, out.TargetPort = awsapi.EndOf(info.Socket.Target)
	}
	return out, nil
}

func seconds(d time.Duration) *int64 {
	s := int64(d / time.Second)
	return &s
}
