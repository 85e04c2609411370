package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/server"
)

func newReceiverCreate(w *world) *cobra.Command {
	var e server.NewSigfoxReceiver
	var body string
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a receiving endpoint, and its secret",
		Long: `Makes a URL for callbacks of a Sigfox backend and prints it with its secret, which is shown once. Let the callback send JSON or a
form with the variables under their own names, as {"device":"{device}","data":"{data}"}, or say their names with --variable.
The message is JSON with all of them and the fields of --payload, or what --body says.`,
		Example: `  thingwire sigfox receiver create field --topic 'sigfox/{device}' --payload temp::float:32
  thingwire sigfox receiver create field --topic sigfox --callback BIDIR --downlink queue --auth header
  thingwire sigfox receiver create field --topic sigfox --variable device=id --variable data=payload --body message.json`,
		Args: exactly("NAME"),
	}
	at, output := reachFlags(cmd), outputFlag(cmd)
	f := cmd.Flags()
	f.StringVar(&e.Topic, "topic", "", "topic of the messages, with variables")
	f.StringVar(&e.Callback, "callback", "", "UPLINK, BIDIR, STATUS, ACKNOWLEDGE, REPEATER, DATA_ADVANCED or ERROR (default UPLINK)")
	f.StringVar(&e.PayloadConfig, "payload", "", "custom payload config that decodes the variable data")
	f.StringVar(&body, "body", "", "file with the template of the message, JSON")
	f.Uint8Var(&e.QoS, "qos", 0, "0 or 1")
	f.StringToStringVar(&e.Variables, "variable", nil, "VARIABLE=NAME, what the sender sends and what it calls it, repeatable")
	f.StringVar(&e.Auth, "auth", "", "where the secret is: path, header or basic (default path)")
	f.StringVar(&e.Header, "header", "", "the header of --auth header (default X-Sigfox-Secret)")
	f.StringVar(&e.Login, "login", "", "the login of --auth basic (default sigfox)")
	f.StringVar(&e.Downlink, "downlink", "", "how BIDIR callbacks are answered: none, queue, topic or template (default none)")
	f.StringVar(&e.DownlinkTopic, "downlink-topic", "", "topic whose retained message is the downlink (default sigfox/downlink/{device})")
	f.StringVar(&e.DownlinkTemplate, "downlink-template", "", "16 hexadecimal digits, with variables")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		asJSON, err := wantsJSON(*output)
		if err != nil {
			return err
		}
		if body != "" {
			text, err := os.ReadFile(body)
			if err != nil {
				return fault.Wrap(fault.NotFound, err, "--body cannot be read")
			}
			e.Body = string(text)
		}
		client, err := w.client(at)
		if err != nil {
			return err
		}
		defer client.Close()
		e.Name = args[0]
		made, err := client.CreateSigfoxReceiver(cmd.Context(), &e)
		if err != nil {
			return err
		}
		if asJSON {
			return w.printJSON(made)
		}
		w.printReceiver(&made.SigfoxReceiver, made.Secret)
		w.printf("Keep the secret: it is not shown again.\n")
		return nil
	}
	return cmd
}
