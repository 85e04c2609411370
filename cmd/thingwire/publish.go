package main

import (
	"encoding/base64"
	"io"
	"math"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/server"
)

// publishOptions are the flags of publish, by the names of the Publish API.
type publishOptions struct {
	topic, message, file                      string
	qos                                       int
	retain                                    bool
	contentType, responseTopic, payloadFormat string
	correlation                               string
	expiry                                    int64
	properties                                []string

	hasMessage, hasCorrelation, hasExpiry bool // the flag was given; an empty message is one
}

func newPublish(w *world) *cobra.Command {
	var o publishOptions
	cmd := &cobra.Command{
		Use:   "publish",
		Short: "Publish one message over HTTPS",
		Long: `Publishes one message by the Publish API of the AWS IoT data plane, with every parameter it has. The payload is --message,
--file, or what comes on stdin. An empty one with --retain deletes the topic's retained message. It prints the trace id
under which the server's journal has the message.`,
		Example: `  thingwire publish --topic lamp/set --message on
  thingwire publish --topic lamp/state --message '{"on":true}' --qos 1 --retain --content-type application/json
  thingwire publish --topic lamp/image --file lamp.jpg --user-property room=kitchen --message-expiry 3600
  date | thingwire publish --topic clock`,
		Args: none,
	}
	at, output := reachFlags(cmd), outputFlag(cmd)
	f := cmd.Flags()
	f.StringVar(&o.topic, "topic", "", "topic to publish to")
	f.StringVar(&o.message, "message", "", "the payload, a text")
	f.StringVar(&o.file, "file", "", "file with the payload; - is stdin")
	f.IntVar(&o.qos, "qos", 0, "QoS: 0 or 1; with 1 it is answered when the message is safe")
	f.BoolVar(&o.retain, "retain", false, "keep it as the topic's retained message")
	f.StringVar(&o.contentType, "content-type", "", "MIME type of the payload")
	f.StringVar(&o.responseTopic, "response-topic", "", "topic for the answer")
	f.StringVar(&o.correlation, "correlation-data", "", "data that the answer repeats, in base64 as AWS takes it")
	f.Int64Var(&o.expiry, "message-expiry", 0, "seconds after which it is not delivered any more")
	f.StringArrayVar(&o.properties, "user-property", nil, "NAME=VALUE, repeatable; order and doubles are kept")
	f.StringVar(&o.payloadFormat, "payload-format-indicator", "", "UNSPECIFIED_BYTES or UTF8_DATA")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		asJSON, err := wantsJSON(*output)
		if err != nil {
			return err
		}
		o.hasMessage, o.hasCorrelation, o.hasExpiry = f.Changed("message"), f.Changed("correlation-data"), f.Changed("message-expiry")
		message, err := o.publication(w.stdin)
		if err != nil {
			return err
		}
		client, err := w.client(at)
		if err != nil {
			return err
		}
		defer client.Close()
		id, err := client.Publish(cmd.Context(), message)
		if err != nil {
			return err
		}
		if asJSON {
			return w.printJSON(map[string]string{"topic": o.topic, "traceId": id})
		}
		w.printf("Published to %s, trace id %s\n", plainText(o.topic), plainText(id))
		return nil
	}
	return cmd
}

// publication checks what can be mistyped; what a topic may be, the server knows.
func (o *publishOptions) publication(stdin io.Reader) (*server.Publication, error) {
	p := &server.Publication{
		Topic: o.topic, QoS: o.qos, Retain: o.retain, ContentType: o.contentType, ResponseTopic: o.responseTopic, PayloadFormat: o.payloadFormat,
	}
	switch {
	case o.topic == "":
		return nil, usage("--topic is missing")
	case o.qos < 0 || o.qos > 1:
		return nil, usage("--qos is %d; use 0 or 1", o.qos)
	case o.hasMessage && o.file != "":
		return nil, usage("--message and --file are two payloads; use one of them")
	case o.expiry < 0 || o.expiry > math.MaxUint32:
		return nil, usage("--message-expiry is %d; use seconds from 0 to %d", o.expiry, uint32(math.MaxUint32))
	case o.payloadFormat != "" && o.payloadFormat != "UNSPECIFIED_BYTES" && o.payloadFormat != "UTF8_DATA":
		return nil, usage("--payload-format-indicator is %q; use UNSPECIFIED_BYTES or UTF8_DATA", o.payloadFormat)
	}
	if o.hasExpiry {
		p.MessageExpiry = &o.expiry
	}
	if o.hasCorrelation {
		data, err := base64.StdEncoding.DecodeString(o.correlation)
		if err != nil {
			return nil, usage("--correlation-data is no base64: %s", err)
		}
		p.CorrelationData = data
	}
	for _, text := range o.properties {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, usage("--user-property is %q; use NAME=VALUE", text)
		}
		p.UserProperties = append(p.UserProperties, server.UserProperty{Key: name, Value: value})
	}
	var err error
	p.Payload, err = o.payload(stdin)
	return p, err
}

// largestPayload is over what any server takes: it keeps a wrong file from filling the memory.
const largestPayload = 1 << 20

func (o *publishOptions) payload(stdin io.Reader) ([]byte, error) {
	if o.hasMessage {
		return []byte(o.message), nil
	}
	in, name := stdin, "stdin"
	if o.file != "" && o.file != "-" {
		f, err := os.Open(o.file)
		if err != nil {
			return nil, fault.Wrap(fault.NotFound, err, "--file cannot be read")
		}
		defer func() { _ = f.Close() }() // it was only read
		in, name = f, o.file
	}
	data, err := io.ReadAll(io.LimitReader(in, largestPayload+1))
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "%s cannot be read", name)
	}
	if len(data) > largestPayload {
		return nil, fault.New(fault.TooLarge, "%s has more than %d bytes", name, largestPayload).WithRemedy("AWS takes 131072 bytes in a message")
	}
	return data, nil
}
