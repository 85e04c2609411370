package backend

import (
	"encoding/json"
	"strconv"
	"strings"
)

// facts are those of ACKNOWLEDGE (reference, 4.2).
func (d *Downlink) facts(device string) facts {
	return facts{
		"device": device, "deviceTypeId": d.DeviceType, "time": strconv.FormatInt(d.Time.Unix(), 10),
		"infoCode": strconv.Itoa(d.InfoCode), "infoMessage": d.Info,
		"downlinkAck": strconv.FormatBool(d.InfoCode == Acked), "downlinkOverusage": strconv.FormatBool(d.Overuse),
	}
}

// Acknowledgement is what is published on sigfox/downlink/DEVICE/ack.
type Acknowledgement struct {
	Device   string `json:"device"`
	Time     int64  `json:"time"` // of the message, seconds since 1970
	InfoCode int    `json:"infoCode"`
	Info     string `json:"infoMessage"`
	Ack      bool   `json:"downlinkAck"`
	Overuse  bool   `json:"downlinkOverusage"`
	Data     string `json:"downlinkData,omitempty"`
}

// announce tells whoever listens of a settled downlink.
func (b *Backend) announce(device string, d *Downlink) {
	if b.cfg.Acknowledged == nil {
		return
	}
	a := Acknowledgement{
		Device: device, Time: d.Time.Unix(), InfoCode: d.InfoCode, Info: d.Info, Ack: d.InfoCode == Acked, Overuse: d.Overuse,
	}
	if a.Ack {
		a.Data = d.Data
	}
	text, err := json.Marshal(a)
	if err != nil {
		return // texts and numbers always marshal
	}
	b.cfg.Acknowledged(device, text)
}

// splitMessageKey reads what messageKey wrote.
func splitMessageKey(key string) (device string, n uint64) {
	device, number, _ := strings.Cut(key, "/")
	n, _ = numberOf(number)
	return strings.TrimLeft(device, "0"), n
}
