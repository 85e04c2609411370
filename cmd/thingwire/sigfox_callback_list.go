package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/server"
)

func newCallbackList(w *world) *cobra.Command {
	cmd := &cobra.Command{Use: "list DEVICE_TYPE", Short: "List the callbacks of a device type", Args: exactly("DEVICE_TYPE")}
	at, output := reachFlags(cmd), outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		all, err := sigfoxList[server.SigfoxCallback](cmd, w, at, *output, "callbacks", server.SigfoxPath("device-types", args[0], "callbacks"), nil)
		if err != nil {
			return err
		}
		rows := make([][]string, 0, len(all))
		for i := range all {
			c := &all[i]
			rows = append(rows, []string{c.ID, c.Kind().String(), callbackState(c), plainText(c.Definition())})
		}
		w.columns(rows)
		return nil
	}
	return cmd
}

func newCallbackDrafts(w *world) *cobra.Command {
	path := func(args []string) string { return server.SigfoxPath("device-types", args[0], "drafts", args[1]) }
	cmd := &cobra.Command{Use: "drafts DEVICE_TYPE", Short: "List the drafts of a device type with their external ids", Args: exactly("DEVICE_TYPE")}
	cmd.AddCommand(deletion(w, "delete DEVICE_TYPE DRAFT", "Forget a draft", "Draft", path, "DEVICE_TYPE", "DRAFT"))
	at, output := reachFlags(cmd), outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		all, err := sigfoxList[server.SigfoxDraft](cmd, w, at, *output, "drafts", server.SigfoxPath("device-types", args[0], "drafts"), nil)
		if err != nil {
			return err
		}
		rows := make([][]string, 0, len(all))
		for _, d := range all {
			rows = append(rows, []string{d.ID, d.ExternalID, moment(d.Created)})
		}
		w.columns(rows)
		return nil
	}
	return cmd
}

// callbackState is what there is to know of a callback at a glance.
func callbackState(c *server.SigfoxCallback) string {
	words := []string{"enabled"}
	if !c.Enabled {
		words[0] = "disabled"
	}
	if c.Dead {
		words = append(words, "dead")
	}
	if c.DownlinkHook {
		words = append(words, "downlink")
	}
	if c.Pending > 0 {
		words = append(words, fmt.Sprintf("%d pending", c.Pending))
	}
	return strings.Join(words, ",")
}

func showCallback(w *world, c *server.SigfoxCallback, _ []string) {
	values := []string{
		"id", c.ID, "kind", c.Kind().String(), "state", callbackState(c), "channel", c.Channel, "payload config", c.PayloadConfig,
		"to", c.Definition(), "content type", c.ContentType,
	}
	for _, h := range c.HeadersShown() {
		values = append(values, "header", h.Name+": "+h.Value)
	}
	values = append(values, "line pattern", c.LinePattern, "role", c.RoleARN, "external id", c.ExternalID, "topic", c.Topic, "region", c.Region)
	w.pairs(values...)
	w.block("body", c.Body)
	w.hints(c.Hints)
}

func newCallbackUndelivered(w *world) *cobra.Command {
	var callback string
	cmd := &cobra.Command{
		Use: "undelivered DEVICE_TYPE", Short: "List what callbacks of a device type did not deliver, the newest first", Args: exactly("DEVICE_TYPE"),
	}
	at, output := reachFlags(cmd), outputFlag(cmd)
	cmd.Flags().StringVar(&callback, "callback", "", "only of this callback")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		query := url.Values{}
		if callback != "" {
			query.Set("callback", callback)
		}
		all, err := sigfoxList[server.SigfoxUndelivered](cmd, w, at, *output, "undelivered", server.SigfoxPath("device-types", args[0], "undelivered"), query)
		if err != nil {
			return err
		}
		w.undelivered(all)
		return nil
	}
	return cmd
}

func (w *world) undelivered(all []server.SigfoxUndelivered) {
	rows := make([][]string, 0, len(all))
	for i := range all {
		u := &all[i]
		rows = append(rows, []string{moment(u.Time), u.Device, u.Data, u.Kind, plainText(u.Definition), u.Status(), plainText(u.Latest.Info)})
	}
	w.columns(rows)
}
