package main

import (
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/server"
)

// callbackKinds are the kinds by their names, with Sigfox's numbers. The server refuses the last two, and says why.
var callbackKinds = map[string][2]int{
	"UPLINK": {0, 2}, "BIDIR": {0, 3}, "STATUS": {1, 0}, "ACKNOWLEDGE": {1, 4}, "DATA_ADVANCED": {1, 6}, "ERROR": {2, 0},
	"GEOLOC": {1, 1}, "REPEATER": {1, 5},
}

func callbackKind(text string) (any, error) {
	if number, ok := callbackKinds[strings.ToUpper(text)]; ok {
		return number, nil
	}
	return nil, usage("use uplink, bidir, status, acknowledge, data_advanced or error")
}

var callbackMembers = []member{
	{"kind", "kind", "what it fires on: uplink (default), bidir, status, acknowledge, data_advanced or error", callbackKind},
	{"enabled", "enabled", "true or false (default true); disabled, it gives up what it was to deliver", yesOrNo},
	{"payload-config", "payloadConfig", "how it cuts the payload into {customData#…}, as in temp::float:32", nil},
	{"url", "url", "of URL and BATCH_URL: where to, with variables in path and query", nil},
	{"method", "httpMethod", "GET, POST or PUT (default POST)", nil},
	{"content-type", "contentType", "application/x-www-form-urlencoded (default), application/json or text/plain", nil},
	{"body", "bodyTemplate", "text of the body with variables, or @FILE", fromFile},
	{"line-pattern", "linePattern", "of BATCH_URL: one message of the batch, as in {device};{time};{data};", nil},
	{"send-sni", "sendSni", "name the server in the TLS handshake: true (default) or false", yesOrNo},
	{"role-arn", "roleArn", "of AWS_IOT: the output ARNRole of the stack", nil},
	{"topic", "topic", "of AWS_IOT: the output Topic of the stack", nil},
	{"region", "region", "of AWS_IOT: the output Region of the stack", nil},
}

func newSigfoxCallback(w *world) *cobra.Command {
	path := func(args []string) string { return server.SigfoxPath("device-types", args[0], "callbacks", args[1]) }
	return group("callback", "Make, list, show, change and delete callbacks of a device type",
		newCallbackCreate(w), newCallbackDraft(w), newCallbackDrafts(w), newCallbackList(w), newCallbackShow(w), newCallbackUpdate(w), newCallbackTest(w), newCallbackDownlink(w), newCallbackUndelivered(w),
		deletion(w, "delete DEVICE_TYPE CALLBACK", "Delete a callback, and give up what it was to deliver", "Callback", path, "DEVICE_TYPE", "CALLBACK"))
}

// headerFlag adds --header.
func headerFlag(cmd *cobra.Command) {
	cmd.Flags().StringArray("header", nil, `header "NAME: VALUE", repeatable; of HTTP's own only Authorization`)
}

// withKind puts the numbers of a kind and the headers into the body.
func withKind(cmd *cobra.Command, body map[string]any) {
	if number, ok := body["kind"].([2]int); ok {
		delete(body, "kind")
		body["callbackType"], body["callbackSubtype"] = number[0], number[1]
	}
	if !cmd.Flags().Changed("header") {
		return
	}
	lines, _ := cmd.Flags().GetStringArray("header") // the flag is there
	headers := []map[string]string{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		headers = append(headers, map[string]string{"name": strings.TrimSpace(name), "value": strings.TrimSpace(value)})
	}
	body["headers"] = headers
}

func newCallbackCreate(w *world) *cobra.Command {
	v := sigfoxVerb[server.SigfoxCallback]{
		use: "create DEVICE_TYPE", short: "Make a callback", args: []string{"DEVICE_TYPE"},
		long: `Makes a callback: when something happens on a device of the type, it sends something somewhere. Channels: URL, one request per
message; BATCH_URL, one request for what comes within a second; AWS_IOT, a publish through a role in an AWS account, which here is this
server's. An AWS_IOT callback has an external id that the role's trust names: make a draft first to have it for the stack.`,
		example: `  thingwire sigfox callback create rooms --url 'https://example.org/in' --content-type application/json --body '{"id":"{device}"}'
  thingwire sigfox callback draft rooms
  thingwire sigfox callback create rooms --channel AWS_IOT --draft ID --role-arn ARN --topic sigfox --region eu-west-1 \
    --payload-config temp::float:32 --body '{"device":"{device}","temperature":{customData#temp}}'`,
		members: append([]member{
			{"channel", "channel", "URL, BATCH_URL or AWS_IOT (default URL)", nil},
			{"draft", "draft", "of AWS_IOT: the draft whose external id it takes over", nil},
		}, callbackMembers...),
		flags: headerFlag,
		call: func(cmd *cobra.Command, args []string, body map[string]any) server.Call {
			if body["channel"] == nil {
				body["channel"] = "URL"
			}
			withKind(cmd, body)
			return server.Call{Method: http.MethodPost, Path: server.SigfoxPath("device-types", args[0], "callbacks"), In: body}
		},
		show: func(w *world, c *server.SigfoxCallback, _ []string) {
			w.printf("Callback %s is saved: %s, %s\n", c.ID, c.Kind(), plainText(c.Definition()))
			if c.ExternalID != "" {
				w.printf("Its external id is %s\n", c.ExternalID)
			}
			w.hints(c.Hints)
		},
	}
	return v.command(w)
}

func newCallbackUpdate(w *world) *cobra.Command {
	v := sigfoxVerb[server.SigfoxCallback]{
		use: "update DEVICE_TYPE CALLBACK", short: "Change a callback; what is not said stays", args: []string{"DEVICE_TYPE", "CALLBACK"},
		members: callbackMembers, flags: headerFlag,
		call: func(cmd *cobra.Command, args []string, body map[string]any) server.Call {
			withKind(cmd, body)
			return server.Call{Method: http.MethodPatch, Path: server.SigfoxPath("device-types", args[0], "callbacks", args[1]), In: body}
		},
		show: showCallback,
	}
	return v.command(w)
}

func newCallbackDraft(w *world) *cobra.Command {
	v := sigfoxVerb[server.SigfoxDraft]{
		use: "draft DEVICE_TYPE", short: "Make the external id of an AWS_IOT callback that is still to be saved", args: []string{"DEVICE_TYPE"},
		call: func(_ *cobra.Command, args []string, _ map[string]any) server.Call {
			return server.Call{Method: http.MethodPost, Path: server.SigfoxPath("device-types", args[0], "drafts")}
		},
		show: func(w *world, d *server.SigfoxDraft, args []string) {
			w.printf("Draft %s has the external id %s\n", d.ID, d.ExternalID)
			w.printf("Give the external id to the stack, then save: thingwire sigfox callback create %s --channel AWS_IOT --draft %s …\n", plainText(args[0]), d.ID)
		},
	}
	return v.command(w)
}

func newCallbackShow(w *world) *cobra.Command {
	v := sigfoxVerb[server.SigfoxCallback]{
		use: "show DEVICE_TYPE CALLBACK", short: "Show a callback", args: []string{"DEVICE_TYPE", "CALLBACK"},
		call: func(_ *cobra.Command, args []string, _ map[string]any) server.Call {
			return server.Call{Method: http.MethodGet, Path: server.SigfoxPath("device-types", args[0], "callbacks", args[1])}
		},
		show: showCallback,
	}
	return v.command(w)
}

func newCallbackTest(w *world) *cobra.Command {
	v := sigfoxVerb[server.SigfoxTrial]{
		use: "test DEVICE_TYPE CALLBACK", short: "Deliver a sample once, and say what it came to", args: []string{"DEVICE_TYPE", "CALLBACK"},
		long: `Makes one delivery of a callback, also of one that is disabled, as if a frame had come, and says what it came to and what to do.
Nothing is kept and nothing is tried again. The receiver cannot tell it from a message.`,
		example: "  thingwire sigfox callback test rooms 5e3a8c1f0b6d4e2a9c7f1b30 --data 41C8CCCD",
		members: []member{
			{"data", "data", "the frame's payload in hexadecimal digits (default none)", nil},
			{"device", "device", "the device that it comes from (default 1)", nil},
		},
		call: func(_ *cobra.Command, args []string, body map[string]any) server.Call {
			return server.Call{Method: http.MethodPost, Path: server.SigfoxPath("device-types", args[0], "callbacks", args[1], "test"), In: body}
		},
		show: func(w *world, t *server.SigfoxTrial, _ []string) {
			w.printf("^ %s  %d %s\n", t.Arrow, t.Status, plainText(t.Info))
			if t.Remedy != "" {
				w.printf("%s\n", plainText(t.Remedy))
			}
			if t.Downlink != "" {
				w.printf("v %s %s\n", plainText(t.Downlink), t.Data)
			}
			if t.Sent != nil {
				w.pairs("sent", t.Sent.Method+" "+t.Sent.URL)
				w.block("body", t.Sent.Body)
			}
		},
	}
	return v.command(w)
}

func newCallbackDownlink(w *world) *cobra.Command {
	v := sigfoxVerb[struct{}]{
		use: "downlink DEVICE_TYPE CALLBACK", short: "Make a BIDIR callback the one that is asked for downlinks", args: []string{"DEVICE_TYPE", "CALLBACK"},
		call: func(_ *cobra.Command, args []string, _ map[string]any) server.Call {
			return server.Call{Method: http.MethodPut, Path: server.SigfoxPath("device-types", args[0], "callbacks", args[1], "downlink")}
		},
		show: func(w *world, _ *struct{}, args []string) {
			w.printf("Callback %s is asked for downlinks.\n", plainText(args[1]))
		},
	}
	return v.command(w)
}
