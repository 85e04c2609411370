package main

import (
	"net/http"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/server"
)

func newSigfoxDownlink(w *world) *cobra.Command {
	cancel := deletion(w, "cancel DEVICE", "Take back the downlink that waits for a device", "The downlink of device",
		func(args []string) string { return server.SigfoxPath("devices", args[0], "downlink") }, "DEVICE")
	v := sigfoxVerb[server.SigfoxQueued]{
		use: "downlink DEVICE HEX", short: "Queue the downlink that a device's next request gets", args: []string{"DEVICE", "HEX"},
		long: `Queues 8 bytes for a device: the next message of its that asks for a downlink gets them, instead of what the device type's
downlink mode would answer. A device has one; a newer one takes its place. Another way is to publish {"downlinkData":"HEX"} to
sigfox/downlink/DEVICE.`,
		example: "  thingwire sigfox downlink 4D3091 0011223344556677 --expires 24h\n  thingwire sigfox downlink cancel 4D3091",
		members: []member{{"expires", "expires", "after how long it is of no use, as in 24h (default never)", inSeconds}},
		call: func(_ *cobra.Command, args []string, body map[string]any) server.Call {
			body["data"] = args[1]
			return server.Call{Method: http.MethodPut, Path: server.SigfoxPath("devices", args[0], "downlink"), In: body}
		},
		show: func(w *world, q *server.SigfoxQueued, args []string) {
			w.printf("Downlink %s waits for the next request of device %s\n", q.Data, plainText(args[0]))
		},
	}
	cmd := v.command(w)
	cmd.AddCommand(cancel)
	return cmd
}
