package main

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/server"
)

// deviceStates are the numbers of Sigfox's API, those that can be set.
var deviceStates = map[int]string{0: "OK", 2: "OFF_CONTRACT", 3: "DISABLED", 6: "SUSPENDED"}

var comStates = map[int]string{0: "no", 1: "ok", 2: "warn", 3: "silent", 5: "not seen"}

var deviceMembers = []member{
	{"name", "name", "its name (default its id)", nil},
	{"pac", "pac", "porting authorisation code, 16 hexadecimal digits (default: one is made)", nil},
	{"state", "state", "0 OK, 2 off contract, 3 disabled, 6 suspended: callbacks hear of those that are OK alone", wholeNumber},
}

func newSigfoxDevice(w *world) *cobra.Command {
	return group("device", "Register, list, show, change and delete devices",
		newDeviceCreate(w), newDeviceList(w), newDeviceShow(w), newDeviceUpdate(w),
		deletion(w, "delete DEVICE", "Delete a device with its messages", "Device",
			func(args []string) string { return server.SigfoxPath("devices", args[0]) }, "DEVICE"))
}

func newDeviceCreate(w *world) *cobra.Command {
	v := sigfoxVerb[server.SigfoxDevice]{
		use: "create DEVICE --device-type DEVICE_TYPE", short: "Register a device: up to 8 hexadecimal digits", args: []string{"DEVICE"},
		members: append([]member{{"device-type", "deviceTypeId", "its device type, by name or id", nil}}, deviceMembers...),
		example: "  thingwire sigfox device create 4D3091 --device-type rooms",
		call: func(_ *cobra.Command, args []string, body map[string]any) server.Call {
			body["id"] = args[0]
			return server.Call{Method: http.MethodPost, Path: server.SigfoxPath("devices"), In: body}
		},
		show: func(w *world, d *server.SigfoxDevice, _ []string) {
			w.printf("Device %s is registered, its PAC is %s.\n", d.ID, d.PAC)
		},
	}
	return v.command(w)
}

func newDeviceUpdate(w *world) *cobra.Command {
	v := sigfoxVerb[server.SigfoxDevice]{
		use: "update DEVICE", short: "Change a device; what is not said stays", args: []string{"DEVICE"},
		members: append([]member{{"device-type", "deviceTypeId", "another device type, by name or id", nil}}, deviceMembers...),
		call: func(_ *cobra.Command, args []string, body map[string]any) server.Call {
			return server.Call{Method: http.MethodPatch, Path: server.SigfoxPath("devices", args[0]), In: body}
		},
		show: func(w *world, d *server.SigfoxDevice, _ []string) { w.printf("Device %s is changed.\n", d.ID) },
	}
	return v.command(w)
}

func newDeviceShow(w *world) *cobra.Command {
	v := sigfoxVerb[server.SigfoxDevice]{
		use: "show DEVICE", short: "Show a device and how it communicates", args: []string{"DEVICE"},
		call: func(_ *cobra.Command, args []string, _ map[string]any) server.Call {
			return server.Call{Method: http.MethodGet, Path: server.SigfoxPath("devices", args[0])}
		},
		show: func(w *world, d *server.SigfoxDevice, _ []string) {
			seq, queued := "", ""
			if d.SequenceNumber != nil {
				seq = strconv.Itoa(*d.SequenceNumber)
			}
			if d.Queued != nil {
				queued = d.Queued.Data
			}
			w.pairs("id", d.ID, "name", d.Name, "device type", d.DeviceType, "pac", d.PAC, "state", deviceStates[d.State], "communication", comStates[d.ComState],
				"last message", momentIf(d.LastCom), "sequence number", seq, "uplinks today", strconv.Itoa(d.Uplinks),
				"downlinks today", strconv.Itoa(d.Downlinks), "queued downlink", queued)
		},
	}
	return v.command(w)
}

func newDeviceList(w *world) *cobra.Command {
	var kind string
	cmd := &cobra.Command{Use: "list", Short: "List the devices", Args: none}
	at, output := reachFlags(cmd), outputFlag(cmd)
	cmd.Flags().StringVar(&kind, "device-type", "", "only devices of this type, by name or id")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		query := url.Values{}
		if kind != "" {
			query.Set("deviceType", kind)
		}
		all, err := sigfoxList[server.SigfoxDevice](cmd, w, at, *output, "devices", server.SigfoxPath("devices"), query)
		if err != nil {
			return err
		}
		rows := make([][]string, 0, len(all))
		for _, d := range all {
			rows = append(rows, []string{d.ID, plainText(d.Name), comStates[d.ComState], momentIf(d.LastCom)})
		}
		w.columns(rows)
		return nil
	}
	return cmd
}
