package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/server"
)

func newSigfoxMessages(w *world) *cobra.Command {
	var limit int
	var undelivered bool
	cmd := &cobra.Command{
		Use:   "messages DEVICE",
		Short: "List the messages of a device, with what became of their callbacks",
		Long: `Lists the newest messages of a device. The arrow of a message and of each of its callbacks is green when it was delivered, amber
while it is tried, red when it failed, grey without callbacks; v is the arrow of a downlink. Hints say why a value may be missing.`,
		Example: `  thingwire sigfox messages 4D3091
  thingwire sigfox messages 4D3091 --limit 1 --output json
  thingwire sigfox messages 4D3091 --undelivered`,
		Args: exactly("DEVICE"),
	}
	at, output := reachFlags(cmd), outputFlag(cmd)
	cmd.Flags().IntVar(&limit, "limit", 20, "the newest so many")
	cmd.Flags().BoolVar(&undelivered, "undelivered", false, "list the deliveries that were given up instead")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if limit < 1 {
			return usage("--limit must be 1 or more")
		}
		if undelivered {
			all, err := sigfoxList[server.SigfoxUndelivered](cmd, w, at, *output, "undelivered", server.SigfoxPath("devices", args[0], "undelivered"), nil)
			w.undelivered(all)
			return err
		}
		return w.ask(at, *output, func(client *server.Client, asJSON bool) error {
			all, err := client.SigfoxMessages(cmd.Context(), args[0], limit)
			if err != nil {
				return err
			}
			if asJSON {
				return w.printJSON(map[string]any{"messages": append([]server.SigfoxMessage{}, all...)})
			}
			for i := range all {
				w.printf("%s", messageText(&all[i]))
			}
			return nil
		})
	}
	return cmd
}

// messageText is a message in some lines: itself, each callback, the downlink, and hints.
func messageText(m *server.SigfoxMessage) string {
	var text strings.Builder
	data := m.Data
	switch {
	case m.OOB != nil:
		data = fmt.Sprintf("service frame, %g °C, %g V", m.OOB.Temperature, m.OOB.Battery)
	case data == "":
		data = "(empty)"
	}
	line := []string{moment(m.Time), fmt.Sprintf("%4d", m.Seq), "^ " + m.Arrow, data}
	if decoded := m.Text(); decoded != "" {
		line = append(line, plainText(decoded))
	}
	if m.OverQuota {
		line = append(line, "over quota")
	}
	if m.Withheld != "" {
		line = append(line, plainText(m.Withheld))
	}
	_, _ = fmt.Fprintf(&text, "%s\n", strings.Join(line, "  "))
	for i := range m.Results {
		r := &m.Results[i]
		_, _ = fmt.Fprintf(&text, "    ^ %s  %s  %s%s\n", r.Arrow, r.Kind, plainText(r.Definition), attemptText(r.Attempts, r.Latest != nil, func() string {
			words := fmt.Sprintf("%d %s", r.Latest.Status, plainText(r.Latest.Info))
			if r.Latest.Remedy != "" && r.Arrow != "green" {
				words += "; " + plainText(r.Latest.Remedy)
			}
			return words
		}))
	}
	if d := m.Downlink; d != nil {
		_, _ = fmt.Fprintf(&text, "    v %s  %s\n", d.Arrow, plainText(strings.Join(downlinkWords(d.Data, d.Info, d.Detail), "  ")))
	}
	for _, h := range m.Hints {
		_, _ = fmt.Fprintf(&text, "    hint: %s\n", plainText(h))
	}
	return text.String()
}

func attemptText(attempts int, tried bool, words func() string) string {
	if !tried {
		return "  on its way"
	}
	if attempts == 1 {
		return "  " + words()
	}
	return fmt.Sprintf("  %s (%d attempts)", words(), attempts)
}

func downlinkWords(texts ...string) (words []string) {
	for _, t := range texts {
		if t != "" {
			words = append(words, t)
		}
	}
	return words
}
