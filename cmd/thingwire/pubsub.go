package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
)

// pubsubOptions are the flags of the tutorial's pubsub.py, by their names there.
type pubsubOptions struct {
	endpoint, cert, key, rootCA, clientID, topic, message string
	port                                                  uint16
	count                                                 int
	interval                                              time.Duration
}

func newPubsub(w *world) *cobra.Command {
	var o pubsubOptions
	cmd := &cobra.Command{
		Use:   "pubsub",
		Short: "Send messages and receive them back: pubsub.py of the AWS tutorial",
		Long: `Does what pubsub.py of the AWS tutorial "Connect a device to AWS IoT Core by using the AWS IoT Device SDK" does, with
its flags and its output: connects with a certificate, subscribes to a topic, sends messages to it, and ends when as
many came back. A message that is JSON is sent as it is, other text with its number behind it; an empty one only
receives. It works with AWS itself too.`,
		Example: `  thingwire thing create lamp --out certs
  thingwire pubsub --root-ca certs/root-CA.pem --cert certs/lamp.cert.pem --key certs/lamp.private.key --count 2
  thingwire pubsub ... --topic device/data --count 2 --message '{"timestamp":1601048303}'
  thingwire pubsub ... --topic 'device/+/details' --message "" --count 2`,
		Args: none,
	}
	f := cmd.Flags()
	f.StringVar(&o.endpoint, "endpoint", "localhost", "host name of the server, as in its certificate")
	f.Uint16Var(&o.port, "port", 8883, "port; 443 names MQTT by ALPN")
	f.StringVar(&o.cert, "cert", "", "file with the device's certificate (PEM)")
	f.StringVar(&o.key, "key", "", "file with the device's private key (PEM)")
	f.StringVar(&o.rootCA, "root-ca", "", "file with the CA that signed the server's certificate (PEM); else the system's CAs")
	f.StringVar(&o.clientID, "client-id", "", "client id (default test-UUID)")
	f.StringVar(&o.topic, "topic", "test/topic", "topic to subscribe to and to send to")
	f.StringVar(&o.message, "message", "Hello World!", "message to send; empty sends none")
	f.IntVar(&o.count, "count", 10, "messages to send and to receive; 0 goes on until stopped")
	f.DurationVar(&o.interval, "interval", time.Second, "pause between messages")
	absent := absentFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		for _, name := range absent {
			if cmd.Flags().Changed(name) {
				return usage("--%s: MQTT over WebSocket is not there yet; connect with --cert and --key", name)
			}
		}
		return pubsub(cmd.Context(), w, o)
	}
	return cmd
}

// absentFlags are flags of the sample that are known, so that using one says what is the matter.
func absentFlags(cmd *cobra.Command) []string {
	f := cmd.Flags()
	f.Bool("use-websocket", false, "")
	f.String("signing-region", "", "")
	f.String("proxy-host", "", "")
	f.Uint16("proxy-port", 0, "")
	names := []string{"use-websocket", "signing-region", "proxy-host", "proxy-port"}
	for _, name := range names {
		f.Lookup(name).Hidden = true
	}
	return names
}

func (o *pubsubOptions) check() error {
	switch {
	case o.count < 0:
		return usage("--count is %d; use 0 or more", o.count)
	case o.interval < 0:
		return usage("--interval is %s; use 0s or more", o.interval)
	case o.topic == "":
		return usage("--topic is empty")
	case o.message != "" && strings.ContainsAny(o.topic, "+#"):
		return usage("--topic %q has wildcards: nothing can be sent to it; say --message \"\" to receive only", o.topic)
	}
	return nil
}

// text is the message with that number. The tutorial's exercise 3 sends JSON as it is, the sample before it numbers
// its messages.
func (o *pubsubOptions) text(number int) string {
	if json.Valid([]byte(o.message)) {
		return o.message
	}
	return fmt.Sprintf("%s [%d]", o.message, number)
}

func (o *pubsubOptions) connection() (mqttConfig, error) {
	var rootPEM []byte
	certPEM, err := readPEM("cert", o.cert)
	if err != nil {
		return mqttConfig{}, err
	}
	keyPEM, err := readPEM("key", o.key)
	if err != nil {
		return mqttConfig{}, err
	}
	if o.rootCA != "" {
		if rootPEM, err = readPEM("root-ca", o.rootCA); err != nil {
			return mqttConfig{}, err
		}
	}
	t, err := newTarget(o.endpoint, strconv.Itoa(int(o.port)), certPEM, keyPEM, rootPEM)
	// The sample connects with clean_session=False, whose session AWS keeps for an hour. One of a random client id
	// would never be found again.
	cfg := mqttConfig{target: t, clientID: o.clientID, sessionExpiry: time.Hour}
	if cfg.clientID == "" {
		cfg.clientID, cfg.forget = "test-"+uuid.NewString(), true
	}
	return cfg, err
}
