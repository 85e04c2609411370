package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/server"
)

func newSigfoxReceiver(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "receiver",
		Short: "Endpoints for the callbacks of a real Sigfox backend, which become MQTT messages",
		Long: `A receiving endpoint is a URL with a secret of its own on the api listener. Point a callback of the Sigfox backend at it:
what it sends is decoded, published on the endpoint's topic, and answered, with a downlink if there is one.`,
		Args: cobra.ArbitraryArgs, // needVerb has better words for them
		RunE: needVerb,
	}
	cmd.AddCommand(newReceiverCreate(w), newReceiverList(w), newReceiverShow(w), newReceiverDownlink(w),
		newReceiverChange(w, "disable", "Switch a receiving endpoint off: its callbacks are refused", "off", switchReceiver(false)),
		newReceiverChange(w, "enable", "Switch a receiving endpoint on again", "on", switchReceiver(true)),
		newReceiverChange(w, "delete", "Delete a receiving endpoint and the downlinks that wait in it", "deleted", deleteReceiver))
	return cmd
}

// receiverChange does something to one receiving endpoint.
type receiverChange func(ctx context.Context, client *server.Client, name string) error

func switchReceiver(on bool) receiverChange {
	return func(ctx context.Context, client *server.Client, name string) error {
		_, err := client.UpdateSigfoxReceiver(ctx, name, map[string]any{"disabled": !on})
		return err
	}
}

func deleteReceiver(ctx context.Context, client *server.Client, name string) error {
	return client.DeleteSigfoxReceiver(ctx, name)
}

func newReceiverChange(w *world, verb, short, done string, change receiverChange) *cobra.Command {
	cmd := &cobra.Command{Use: verb + " NAME", Short: short, Example: "  thingwire sigfox receiver " + verb + " field", Args: exactly("NAME")}
	at := reachFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := w.client(at)
		if err != nil {
			return err
		}
		defer client.Close()
		if err := change(cmd.Context(), client, args[0]); err != nil {
			return err
		}
		w.printf("Receiving endpoint %s is %s.\n", args[0], done)
		return nil
	}
	return cmd
}

func newReceiverList(w *world) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List the receiving endpoints", Example: "  thingwire sigfox receiver list", Args: none}
	at, output := reachFlags(cmd), outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		asJSON, err := wantsJSON(*output)
		if err != nil {
			return err
		}
		client, err := w.client(at)
		if err != nil {
			return err
		}
		defer client.Close()
		all, err := client.SigfoxReceivers(cmd.Context())
		if err != nil {
			return err
		}
		if asJSON {
			return w.printJSON(map[string]any{"receivers": append([]server.SigfoxReceiver{}, all...)})
		}
		return w.printReceivers(all)
	}
	return cmd
}

func (w *world) printReceivers(all []server.SigfoxReceiver) error {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, e := range all {
		state := "on"
		if e.Disabled {
			state = "off"
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", e.Name, e.Callback, e.Topic, state, moment(e.Created))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	w.printf("%s", text.String())
	return nil
}

func newReceiverShow(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "show NAME", Short: "Show a receiving endpoint, without its secret", Example: "  thingwire sigfox receiver show field", Args: exactly("NAME"),
	}
	at, output := reachFlags(cmd), outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		asJSON, err := wantsJSON(*output)
		if err != nil {
			return err
		}
		client, err := w.client(at)
		if err != nil {
			return err
		}
		defer client.Close()
		e, err := client.SigfoxReceiver(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if asJSON {
			return w.printJSON(e)
		}
		w.printReceiver(e, "SECRET")
		return nil
	}
	return cmd
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
	var expires time.Duration
	cmd := &cobra.Command{
		Use:   "downlink NAME DEVICE HEX",
		Short: "Answer the next BIDIR callback of a device that listens with these 8 bytes",
		Long: `Keeps 8 bytes for a device; the next BIDIR callback that comes with ack true for it is answered with them, once. What waited
before is replaced. The endpoint must take its downlinks from the queue (--downlink queue).`,
		Example: "  thingwire sigfox receiver downlink field 4D3091 0011223344556677 --expires 24h",
		Args:    exactly("NAME", "DEVICE", "HEX"),
	}
	at := reachFlags(cmd)
	cmd.Flags().DurationVar(&expires, "expires", 0, "after this time it is of no use (default never)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if expires < 0 {
			return fault.New(fault.Invalid, "--expires is %s", expires).WithRemedy("use a time that is still to come, such as 24h")
		}
		client, err := w.client(at)
		if err != nil {
			return err
		}
		defer client.Close()
		if err := client.QueueSigfoxReceiverDownlink(cmd.Context(), args[0], args[1], args[2], expires.Seconds()); err != nil {
			return err
		}
		w.printf("The next request of %s is answered with %s.\n", args[1], args[2])
		return nil
	}
	return cmd
}
