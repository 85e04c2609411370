package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/server"
)

var uplinkMembers = []member{
	{"seq", "seqNumber", "sequence number, 0 to 4095 (default the next one)", wholeNumber},
	{"station", "station", "base station that heard it, in hexadecimal digits", nil},
	{"rssi", "rssi", "strength in dBm", realNumber},
	{"snr", "snr", "signal to noise in dB", realNumber},
	{"temperature", "temp", "with --battery: a service frame of the modem, in °C", realNumber},
	{"battery", "batt", "with --temperature: a service frame of the modem, in V", realNumber},
}

func newSigfoxUplink(w *world) *cobra.Command {
	var at string
	var downlink, noWait bool
	cmd := &cobra.Command{
		Use:   "uplink DEVICE [HEX]",
		Short: "Send a frame, as a device would",
		Long: `Sends a frame of 0 to 12 bytes in the place of a device. It is kept before the answer comes, and its callbacks go out. With
--downlink the device asks for a downlink and this waits for it, 20 seconds of the air. With --temperature and --battery it is a service
frame, which has no payload.`,
		Example: `  thingwire sigfox uplink 4D3091 41C8CCCD
  thingwire sigfox uplink 4D3091 01 --downlink
  thingwire sigfox uplink 4D3091 --temperature 21.5 --battery 3.3`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return nil
			}
			return exactly("DEVICE", "HEX")(cmd, args)
		},
	}
	reach, output := reachFlags(cmd), outputFlag(cmd)
	memberFlags(cmd, uplinkMembers)
	cmd.Flags().StringVar(&at, "time", "", "when it was received, as in 2006-01-02T15:04:05Z (default now)")
	cmd.Flags().BoolVar(&downlink, "downlink", false, "ask for a downlink and wait for it")
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "with --downlink: do not wait")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		asJSON, err := wantsJSON(*output)
		if err != nil {
			return err
		}
		u, err := uplinkOf(cmd, at)
		if err != nil {
			return err
		}
		u.Ack, u.Await = downlink, downlink && !noWait
		if len(args) == 2 {
			u.Data = args[1]
		}
		client, err := w.client(reach)
		if err != nil {
			return err
		}
		defer client.Close()
		m, err := client.SendSigfoxUplink(cmd.Context(), args[0], u)
		if err != nil {
			return err
		}
		if asJSON {
			return w.printJSON(m)
		}
		w.uplinked(m, u.Await)
		return nil
	}
	return cmd
}

func uplinkOf(cmd *cobra.Command, at string) (*server.SigfoxUplink, error) {
	u := &server.SigfoxUplink{}
	body, err := given(cmd, uplinkMembers)
	if err != nil {
		return nil, err
	}
	if at != "" {
		if u.Time, err = time.Parse(time.RFC3339, at); err != nil {
			return nil, usage("--time is %q; use a time like 2006-01-02T15:04:05Z", at)
		}
	}
	if n, ok := body["seqNumber"].(int); ok {
		u.Seq = &n
	}
	if s, ok := body["station"].(string); ok {
		u.Station = s
	}
	for name, to := range map[string]**float64{"rssi": &u.RSSI, "snr": &u.SNR} {
		if x, ok := body[name].(float64); ok {
			*to = &x
		}
	}
	temperature, isOOB := body["temp"].(float64)
	battery, both := body["batt"].(float64)
	if isOOB != both {
		return nil, usage("--temperature and --battery belong together")
	}
	if isOOB {
		u.OOB = &server.SigfoxOOB{Temperature: temperature, Battery: battery}
	}
	return u, nil
}

func (w *world) uplinked(m *server.SigfoxUplinked, awaited bool) {
	w.printf("The message of device %s is kept, sequence number %d\n", m.Device, m.Seq)
	switch {
	case m.Withheld != "":
		w.printf("No callback hears of it: %s\n", plainText(m.Withheld))
	case len(m.Callbacks) == 0:
		w.printf("No callback hears of it\n")
	}
	if m.OverQuota {
		w.printf("It is over the 140 messages of the day\n")
	}
	switch {
	case awaited && m.Downlink == "":
		w.printf("No downlink came; see: thingwire sigfox messages %s\n", m.Device)
	case awaited:
		w.printf("Downlink %s\n", m.Downlink)
	}
}
