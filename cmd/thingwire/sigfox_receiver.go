package main

import (
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/server"
)

func newSigfoxReceiver(w *world) *cobra.Command {
	cmd := group("receiver", "Endpoints for the callbacks of a real Sigfox backend, which become MQTT messages",
		newReceiverCreate(w), newReceiverList(w), newReceiverShow(w), newReceiverUpdate(w), newReceiverDownlink(w),
		newReceiverSwitch(w, "disable", "Switch a receiving endpoint off: its callbacks are refused", "off", true),
		newReceiverSwitch(w, "enable", "Switch a receiving endpoint on again", "on", false),
		deletion(w, "delete NAME", "Delete a receiving endpoint and the downlinks that wait in it", "Receiving endpoint", receiverPath, "NAME"))
	cmd.Long = `A receiving endpoint is a URL with a secret of its own on the api listener. Point a callback of the Sigfox backend at it:
what it sends is decoded, published on the endpoint's topic, and answered, with a downlink if there is one.`
	return cmd
}

func receiverPath(args []string) string { return server.SigfoxPath("receivers", args[0]) }

func newReceiverSwitch(w *world, verb, short, done string, disabled bool) *cobra.Command {
	v := sigfoxVerb[server.SigfoxReceiver]{
		use: verb + " NAME", short: short, args: []string{"NAME"},
		call: func(_ *cobra.Command, args []string, _ map[string]any) server.Call {
			return server.Call{Method: http.MethodPatch, Path: receiverPath(args), In: map[string]any{"disabled": disabled}}
		},
		show: func(w *world, e *server.SigfoxReceiver, _ []string) {
			w.printf("Receiving endpoint %s is %s.\n", e.Name, done)
		},
	}
	return v.command(w)
}

func newReceiverList(w *world) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List the receiving endpoints", Args: none}
	at, output := reachFlags(cmd), outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		all, err := sigfoxList[server.SigfoxReceiver](cmd, w, at, *output, "receivers", server.SigfoxPath("receivers"), nil)
		if err != nil {
			return err
		}
		rows := make([][]string, 0, len(all))
		for _, e := range all {
			state := "on"
			if e.Disabled {
				state = "off"
			}
			rows = append(rows, []string{e.Name, e.Callback, plainText(e.Topic), state, moment(e.Created)})
		}
		w.columns(rows)
		return nil
	}
	return cmd
}

func newReceiverShow(w *world) *cobra.Command {
	v := sigfoxVerb[server.SigfoxReceiver]{
		use: "show NAME", short: "Show a receiving endpoint, without its secret", args: []string{"NAME"},
		call: func(_ *cobra.Command, args []string, _ map[string]any) server.Call {
			return server.Call{Method: http.MethodGet, Path: receiverPath(args)}
		},
		show: func(w *world, e *server.SigfoxReceiver, _ []string) { w.printReceiver(e, "SECRET") },
	}
	return v.command(w)
}

// printReceiver says what to write into the callback, and what becomes of it.
func (w *world) printReceiver(e *server.SigfoxReceiver, secret string) {
	w.printf("Receiving endpoint %s, for callbacks of kind %s:\n", e.Name, e.Callback)
	w.printf("  URL      https://HOST:PORT%s  (HOST:PORT of the api listener)\n", server.SigfoxReceiverPath(e, secret))
	switch e.Auth {
	case "header":
		w.printf("  header   %s: %s\n", e.Header, secret)
	case "basic":
		w.printf("  login    %s, password %s\n", e.Login, secret)
	}
	w.printf("  topic    %s, QoS %d\n", e.Topic, e.QoS)
	if e.PayloadConfig != "" {
		w.printf("  payload  %s\n", e.PayloadConfig)
	}
	if e.Downlink != "none" {
		w.printf("  downlink from %s\n", strings.TrimSpace(e.Downlink+" "+e.DownlinkTopic+e.DownlinkTemplate))
	}
	if e.Disabled {
		w.printf("It is off: thingwire sigfox receiver enable %s\n", e.Name)
	}
}

func newReceiverDownlink(w *world) *cobra.Command {
	v := sigfoxVerb[server.SigfoxReceiverDownlink]{
		use: "downlink NAME DEVICE HEX", short: "Answer the next BIDIR callback of a device that listens with these 8 bytes", args: []string{"NAME", "DEVICE", "HEX"},
		long: `Keeps 8 bytes for a device; the next BIDIR callback that comes with ack true for it is answered with them, once. What waited
before is replaced. The endpoint must take its downlinks from the queue (--downlink queue).`,
		example: "  thingwire sigfox receiver downlink field 4D3091 0011223344556677 --expires 24h",
		members: []member{{"expires", "expires", "after how long it is of no use, as in 24h (default never)", inSeconds}},
		call: func(_ *cobra.Command, args []string, body map[string]any) server.Call {
			body["data"] = args[2]
			return server.Call{Method: http.MethodPut, Path: server.SigfoxPath("receivers", args[0], "devices", args[1], "downlink"), In: body}
		},
		show: func(w *world, d *server.SigfoxReceiverDownlink, args []string) {
			w.printf("The next request of %s is answered with %s.\n", plainText(args[1]), d.Data)
		},
	}
	return v.command(w)
}
