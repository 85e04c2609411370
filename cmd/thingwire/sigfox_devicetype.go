package main

import (
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/server"
)

var downlinkModes = []string{"DIRECT", "CALLBACK", "NONE", "MANAGED"}

var deviceTypeMembers = []member{
	{"description", "description", "what it is for", nil},
	{"downlink-mode", "downlinkMode", "who answers a device that asks for a downlink: direct, callback or none (default none)", oneOf(downlinkModes...)},
	{"downlink-data", "downlinkDataString", "of mode direct: 8 bytes of hex with {tapId}, {time}, {rssi} (default {tapId}0000{rssi})", nil},
	{"payload-type", "payloadType", "2 shows bytes, 3 the fields of --payload-config (default 2)", wholeNumber},
	{"payload-config", "payloadConfig", "how payloads are shown in messages, as in temp::float:32; callbacks have their own", nil},
	{"keep-alive", "keepAlive", "silence after which ERROR callbacks are told, as in 2h; 0 for none, else at least 30m", inSeconds},
	{"alert-email", "alertEmail", "with one, a failing callback is told in the journal", nil},
}

func newSigfoxDeviceType(w *world) *cobra.Command {
	return group("device-type", "Make, list, show, change and delete device types",
		newDeviceTypeCreate(w), newDeviceTypeList(w), newDeviceTypeShow(w), newDeviceTypeUpdate(w),
		deletion(w, "delete DEVICE_TYPE", "Delete a device type that has no devices, with its callbacks", "Device type",
			func(args []string) string { return server.SigfoxPath("device-types", args[0]) }, "DEVICE_TYPE"))
}

// withPayloadType lets --payload-config alone show fields.
func withPayloadType(body map[string]any) map[string]any {
	if _, ok := body["payloadType"]; !ok && body["payloadConfig"] != nil && body["payloadConfig"] != "" {
		body["payloadType"] = 3
	}
	return body
}

func newDeviceTypeCreate(w *world) *cobra.Command {
	v := sigfoxVerb[server.SigfoxDeviceType]{
		use: "create NAME", short: "Make a device type", args: []string{"NAME"}, members: deviceTypeMembers,
		example: `  thingwire sigfox device-type create rooms --payload-config temp::float:32
  thingwire sigfox device-type create valves --downlink-mode callback --keep-alive 2h`,
		call: func(_ *cobra.Command, args []string, body map[string]any) server.Call {
			body["name"] = args[0]
			return server.Call{Method: http.MethodPost, Path: server.SigfoxPath("device-types"), In: withPayloadType(body)}
		},
		show: func(w *world, t *server.SigfoxDeviceType, _ []string) {
			w.printf("Device type %s is %s.\n", plainText(t.Name), t.ID)
		},
	}
	return v.command(w)
}

func newDeviceTypeUpdate(w *world) *cobra.Command {
	v := sigfoxVerb[server.SigfoxDeviceType]{
		use: "update DEVICE_TYPE", short: "Change a device type; what is not said stays", args: []string{"DEVICE_TYPE"},
		members: append([]member{{"name", "name", "another name", nil}}, deviceTypeMembers...),
		example: "  thingwire sigfox device-type update rooms --downlink-mode direct",
		call: func(_ *cobra.Command, args []string, body map[string]any) server.Call {
			return server.Call{Method: http.MethodPatch, Path: server.SigfoxPath("device-types", args[0]), In: withPayloadType(body)}
		},
		show: showDeviceType,
	}
	return v.command(w)
}

func newDeviceTypeShow(w *world) *cobra.Command {
	v := sigfoxVerb[server.SigfoxDeviceType]{
		use: "show DEVICE_TYPE", short: "Show a device type, by its name or id", args: []string{"DEVICE_TYPE"},
		call: func(_ *cobra.Command, args []string, _ map[string]any) server.Call {
			return server.Call{Method: http.MethodGet, Path: server.SigfoxPath("device-types", args[0])}
		},
		show: showDeviceType,
	}
	return v.command(w)
}

func showDeviceType(w *world, t *server.SigfoxDeviceType, _ []string) {
	keepAlive := ""
	if t.KeepAlive > 0 {
		keepAlive = (time.Duration(t.KeepAlive) * time.Second).String()
	}
	w.pairs("id", t.ID, "name", t.Name, "description", t.Description, "downlink mode", downlinkModes[t.DownlinkMode], "downlink data", t.DownlinkData,
		"downlink callback", t.DownlinkHook, "payload type", strconv.Itoa(t.PayloadType), "payload config", t.PayloadConfig, "keep-alive", keepAlive,
		"alert email", t.AlertEmail, "created", moment(t.Created), "edited", moment(t.Edited))
}

func newDeviceTypeList(w *world) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List the device types", Args: none}
	at, output := reachFlags(cmd), outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		all, err := sigfoxList[server.SigfoxDeviceType](cmd, w, at, *output, "deviceTypes", server.SigfoxPath("device-types"), nil)
		if err != nil {
			return err
		}
		rows := make([][]string, 0, len(all))
		for _, t := range all {
			rows = append(rows, []string{t.ID, plainText(t.Name), downlinkModes[t.DownlinkMode], plainText(t.PayloadConfig)})
		}
		w.columns(rows)
		return nil
	}
	return cmd
}
