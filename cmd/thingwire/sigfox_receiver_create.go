package main

import (
	"net/http"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/server"
)

var receiverMembers = []member{
	{"topic", "topic", "topic of the messages, with variables", nil},
	{"callback", "callback", "UPLINK, BIDIR, STATUS, ACKNOWLEDGE, REPEATER, DATA_ADVANCED or ERROR (default UPLINK)", nil},
	{"payload", "payloadConfig", "custom payload config that decodes the variable data", nil},
	{"body", "body", "template of the message, JSON, or @FILE (default what was sent, and all fields)", fromFile},
	{"qos", "qos", "0 (default) or 1", wholeNumber},
	{"auth", "auth", "where the secret is: path, header or basic (default path)", nil},
	{"header", "header", "the header of --auth header (default X-Sigfox-Secret)", nil},
	{"login", "login", "the login of --auth basic (default sigfox)", nil},
	{"downlink", "downlink", "how BIDIR callbacks are answered: none, queue, topic or template (default none)", nil},
	{"downlink-topic", "downlinkTopic", "topic whose retained message is the downlink (default sigfox/downlink/{device})", nil},
	{"downlink-template", "downlinkTemplate", "16 hexadecimal digits, with variables", nil},
}

func newReceiverCreate(w *world) *cobra.Command {
	v := sigfoxVerb[server.SigfoxReceiverMade]{
		use: "create NAME", short: "Make a receiving endpoint, and its secret", args: []string{"NAME"}, members: receiverMembers,
		long: `Makes a URL for callbacks of a Sigfox backend and prints it with its secret, which is shown once. Let the callback send JSON or a
form with the variables under their own names, as {"device":"{device}","data":"{data}"}, or say their names with --variable.
The message is JSON with those that were sent and the fields of --payload, or what --body says.`,
		example: `  thingwire sigfox receiver create field --topic 'sigfox/{device}' --payload temp::float:32
  thingwire sigfox receiver create field --topic sigfox --callback BIDIR --downlink queue --auth header
  thingwire sigfox receiver create field --topic sigfox --variable device=id --variable data=payload --body @message.json`,
		flags: func(cmd *cobra.Command) {
			cmd.Flags().StringToString("variable", nil, "VARIABLE=NAME, what the sender sends and what it calls it, repeatable")
		},
		call: func(cmd *cobra.Command, args []string, body map[string]any) server.Call {
			body["name"] = args[0]
			body["variables"], _ = cmd.Flags().GetStringToString("variable") // the flag is there
			return server.Call{Method: http.MethodPost, Path: server.SigfoxPath("receivers"), In: body}
		},
		show: func(w *world, made *server.SigfoxReceiverMade, _ []string) {
			w.printReceiver(&made.SigfoxReceiver, made.Secret)
			w.printf("Keep the secret: it is not shown again.\n")
		},
	}
	return v.command(w)
}

func newReceiverUpdate(w *world) *cobra.Command {
	v := sigfoxVerb[server.SigfoxReceiver]{
		use: "update NAME", short: "Change a receiving endpoint; what is not said stays, its secret too", args: []string{"NAME"}, members: receiverMembers,
		example: "  thingwire sigfox receiver update ask --downlink queue",
		call: func(_ *cobra.Command, args []string, body map[string]any) server.Call {
			return server.Call{Method: http.MethodPatch, Path: receiverPath(args), In: body}
		},
		show: func(w *world, e *server.SigfoxReceiver, _ []string) { w.printReceiver(e, "SECRET") },
	}
	return v.command(w)
}
