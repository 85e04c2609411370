package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/thingwire/thingwire/internal/sigv4"
)

// pubsubOptions are the flags of the tutorial's pubsub.py, by their names there.
type pubsubOptions struct {
	endpoint, cert, key, rootCA, clientID, topic, message string
	port                                                  uint16
	count                                                 int
	interval                                              time.Duration

	websocket     bool
	signingRegion string
	proxyHost     string
	proxyPort     uint16
	hasPort       bool // --port was given
}

func newPubsub(w *world) *cobra.Command {
	var o pubsubOptions
	cmd := &cobra.Command{
		Use:   "pubsub",
		Short: "Send messages and receive them back: pubsub.py of the AWS tutorial",
		Long: `Does what pubsub.py of the AWS tutorial "Connect a device to AWS IoT Core by using the AWS IoT Device SDK" does, with
its flags and its output: connects with a certificate, subscribes to a topic, sends messages to it, and ends when as
many came back. A message that is JSON is sent as it is, other text with its number behind it; an empty one only
receives. With --use-websocket it takes the credentials of the AWS environment or of the profile AWS_PROFILE, and
AWS_CA_BUNDLE where there is no --root-ca. It works with AWS itself too.`,
		Example: `  thingwire thing create lamp --out certs
  thingwire pubsub --root-ca certs/root-CA.pem --cert certs/lamp.cert.pem --key certs/lamp.private.key --count 2
  thingwire pubsub ... --topic device/data --count 2 --message '{"timestamp":1601048303}'
  thingwire pubsub ... --topic 'device/+/details' --message "" --count 2
  eval "$(thingwire env)" && thingwire pubsub --use-websocket --port 9443`,
		Args: none,
	}
	f := cmd.Flags()
	f.StringVar(&o.endpoint, "endpoint", "localhost", "host name of the server, as in its certificate")
	f.Uint16Var(&o.port, "port", 8883, "port; 443 names the protocol by ALPN (default with --use-websocket: 443)")
	f.StringVar(&o.cert, "cert", "", "file with the device's certificate (PEM)")
	f.StringVar(&o.key, "key", "", "file with the device's private key (PEM)")
	f.StringVar(&o.rootCA, "root-ca", "", "file with the CA that signed the server's certificate (PEM); else the system's CAs")
	f.StringVar(&o.clientID, "client-id", "", "client id (default test-UUID)")
	f.StringVar(&o.topic, "topic", "test/topic", "topic to subscribe to and to send to")
	f.StringVar(&o.message, "message", "Hello World!", "message to send; empty sends none")
	f.IntVar(&o.count, "count", 10, "messages to send and to receive; 0 goes on until stopped")
	f.DurationVar(&o.interval, "interval", time.Second, "pause between messages")
	f.BoolVar(&o.websocket, "use-websocket", false, "MQTT over WebSocket, signed with the AWS credentials, instead of --cert and --key")
	f.StringVar(&o.signingRegion, "signing-region", "", "region to sign for with --use-websocket (default $AWS_REGION, else us-east-1)")
	f.StringVar(&o.proxyHost, "proxy-host", "", "HTTP proxy to connect through")
	f.Uint16Var(&o.proxyPort, "proxy-port", 8080, "port of the proxy")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		o.hasPort = f.Changed("port")
		return pubsub(cmd.Context(), w, o)
	}
	return cmd
}

func (o *pubsubOptions) check() error {
	switch {
	case o.count < 0:
		return usage("--count is %d; use 0 or more", o.count)
	case o.interval < 0:
		return usage("--interval is %s; use 0s or more", o.interval)
	case o.websocket && (o.cert != "" || o.key != ""):
		return usage("--use-websocket signs with an access key; leave out --cert and --key")
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

// connection is the way to the server: by certificate, or by a signed WebSocket.
func (o *pubsubOptions) connection(w *world) (mqttConfig, error) {
	find := o.byCertificate
	if o.websocket {
		find = o.bySignature
	}
	t, err := find(w)
	if o.proxyHost != "" {
		t.Proxy = net.JoinHostPort(o.proxyHost, strconv.Itoa(int(o.proxyPort)))
	}
	// The sample connects with clean_session=False, whose session AWS keeps for an hour. One of a random client id
	// would never be found again.
	cfg := mqttConfig{target: t, clientID: o.clientID, sessionExpiry: time.Hour}
	if cfg.clientID == "" {
		cfg.clientID, cfg.forget = "test-"+uuid.NewString(), true
	}
	return cfg, err
}

func (o *pubsubOptions) byCertificate(*world) (target, error) {
	var rootPEM []byte
	certPEM, err := readPEM("cert", o.cert)
	if err != nil {
		return target{}, err
	}
	keyPEM, err := readPEM("key", o.key)
	if err != nil {
		return target{}, err
	}
	if o.rootCA != "" {
		if rootPEM, err = readPEM("root-ca", o.rootCA); err != nil {
			return target{}, err
		}
	}
	return newTarget(o.endpoint, o.port, certPEM, keyPEM, rootPEM)
}

// presignedFor is how long the address of a WebSocket is good: it is used at once, but clocks differ.
const presignedFor = time.Hour

func (o *pubsubOptions) bySignature(w *world) (target, error) {
	settings, err := w.awsSettings()
	if err != nil {
		return target{}, err
	}
	var rootPEM []byte
	if file := firstOf(o.rootCA, settings.caBundle); file != "" {
		if rootPEM, err = readPEM("root-ca", file); err != nil {
			return target{}, err
		}
	}
	port := o.port
	if !o.hasPort {
		port = 443
	}
	t, err := trusting(o.endpoint, port, rootPEM)
	signer := sigv4.Signer{
		AccessKeyID: settings.accessKeyID, Secret: settings.secret, Token: settings.token,
		Region: firstOf(o.signingRegion, settings.region), Service: "iotdevicegateway",
	}
	t.Presign = func(u *url.URL) (*url.URL, error) { return signer.Presign(u, time.Now(), presignedFor), nil }
	return t, err
}
