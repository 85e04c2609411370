package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/server"
)

func newSubscribe(w *world) *cobra.Command {
	var count, qos int
	cmd := &cobra.Command{
		Use:   "subscribe FILTER...",
		Short: "Show messages as they pass",
		Long: `Shows the messages that match one of the topic filters as they pass the server: topic and payload in a line for people,
one JSON object per line for programs. It needs no certificate: on the server's machine being allowed to open the data
directory is enough, elsewhere an access key that may iot:Subscribe and iot:Receive.`,
		Example: `  thingwire subscribe '#'
  thingwire subscribe 'bme680/+' 'device/#' --count 10 --output json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("%s needs a topic filter, for instance '#'; see: %s --help", cmd.CommandPath(), cmd.CommandPath())
			}
			return nil
		},
	}
	at, output := reachFlags(cmd), outputFlag(cmd)
	cmd.Flags().IntVar(&count, "count", 0, "end after this many messages; 0 goes on until stopped")
	cmd.Flags().IntVar(&qos, "qos", 1, "QoS to subscribe with: 0 or 1")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		asJSON, err := wantsJSON(*output)
		if err != nil {
			return err
		}
		if count < 0 || qos < 0 || qos > 1 {
			return usage("--count must be 0 or more, --qos 0 or 1")
		}
		client, err := w.client(at)
		if err != nil {
			return err
		}
		defer client.Close()
		return subscribe(cmd.Context(), w, client, args, qos, count, asJSON)
	}
	return cmd
}

func subscribe(ctx context.Context, w *world, client *server.Client, filters []string, qos, count int, asJSON bool) error {
	query := url.Values{"filter": filters, "qos": {strconv.Itoa(qos)}}
	stream, err := client.Stream(ctx, "/_thingwire/v1/subscribe?"+query.Encode())
	if err != nil {
		return asUsage(err)
	}
	defer stream.Close()
	in := bufio.NewReader(stream)
	for n := 0; count == 0 || n < count; n++ {
		line, err := in.ReadBytes('\n')
		if ctx.Err() != nil {
			return nil // stopped by Ctrl-C, as meant
		}
		if err != nil {
			return fault.Wrap(fault.Unavailable, err, "the server stopped")
		}
		if err := w.printMessage(line, asJSON); err != nil {
			return err
		}
	}
	return nil
}

// printMessage prints one line of the stream.
func (w *world) printMessage(line []byte, asJSON bool) error {
	if asJSON {
		w.printf("%s\n", bytes.TrimSpace(line))
		return nil
	}
	var m server.LiveMessage
	if err := json.Unmarshal(line, &m); err != nil {
		return err
	}
	payload, err := m.Bytes()
	if err != nil {
		return err
	}
	w.printf("%s %s\n", m.Topic, printable(payload))
	return nil
}

// printable is the payload as it is if a terminal can show it on a line, else as Python would write its bytes: a
// message must not be able to move the cursor.
func printable(payload []byte) string {
	if !utf8.Valid(payload) || bytes.ContainsFunc(payload, unicode.IsControl) {
		return pythonBytes(payload)
	}
	return string(payload)
}
