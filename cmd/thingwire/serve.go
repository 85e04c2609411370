package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/thingwire/thingwire/internal/server"
)

func newServe(w *world) *cobra.Command {
	defaults := server.Default()
	var config string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Runs the server on a data directory, which the first start creates with a certificate authority of its own.
It prints one line that begins with "ready" and names its addresses when it serves; SIGTERM or Ctrl-C stops it in
order. Each flag is also a key of the configuration file; a flag wins over the file. The first start also makes
an access key: "thingwire env" prints what points AWS's tools at the server.`,
		Example: `  thingwire serve
  thingwire serve --data-dir ./data --hostname iot.example.org
  thingwire serve --listen-mqtts 127.0.0.1:0 --listen-shared off`,
		Args: none,
	}
	dataDir := dataDirFlag(cmd)
	f := cmd.Flags()
	f.StringVar(&config, "config", "", "configuration file (YAML)")
	for _, l := range listenerHelp {
		f.String("listen-"+l.name, defaults.Listen.Address(l.name), l.help+"; host:port or off, port 0 takes a free one")
	}
	f.Bool("listen-mqtt-anywhere", false, "allow --listen-mqtt on an address that others can reach")
	f.StringArray("hostname", nil, "name that the server answers to, repeatable; the first is the endpoint")
	f.String("account", "", "account id in every ARN, fixed at the first start (default "+server.DefaultAccount+")")
	f.String("region", "", "region in every ARN, fixed at the first start (default "+server.DefaultRegion+")")
	f.String("sigfox-aws-account", "", "AWS account that the Sigfox cloud calls from, which roles of its callbacks trust (default "+server.DefaultSigfoxAccount+")")
	f.String("limits", defaults.Limits, "limits profile: open, or aws with AWS's rates and quotas")
	f.String("durability", defaults.Durability, "sync: acknowledged means on disk; relaxed: on its way there")
	f.String("queue-full", defaults.QueueFull, "when a session's queue is full: drop, the newest message is lost; refuse, its publisher is told")
	f.Int64("queue-messages", 0, "messages that wait for one session or shared subscription (default 1000000, and 500000)")
	f.Int64("queue-bytes", 0, "bytes of payloads that wait for one of them (default 1073741824)")
	f.Duration("queue-age", 0, "how long the oldest may have waited in a queue that takes new messages, as in 36h (default for ever)")
	f.String("sigfox-aws-endpoint", defaults.Sigfox.Endpoint, "where Sigfox's AWS IoT callbacks go: own, this server; aws, AWS itself; or the URL of what stands for it")
	f.StringArray("sigfox-allow", nil, "network or address that Sigfox's callbacks may reach all the same, repeatable; host:port for a listener of this server")
	f.Bool("sigfox-private", defaults.Sigfox.Private, "let Sigfox's callbacks reach this machine and private networks")
	f.Float64("sigfox-speed", defaults.Sigfox.Speed, "how many times faster than in real time Sigfox's retries, downlinks and keep-alives go")
	f.Int64("sigfox-messages", 0, "messages that are kept of each Sigfox device (default 1000)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := serveConfig(w, cmd.Flags(), config, *dataDir)
		if err != nil {
			return asUsage(err)
		}
		return serve(cmd.Context(), w, cfg)
	}
	return cmd
}

var listenerHelp = [...]struct{ name, help string }{
	{"mqtts", "MQTT over TLS with client certificates"},
	{"https", "HTTPS, and MQTT by ALPN name"},
	{"api", "HTTPS by signature and MQTT over WebSocket, never asks for a client certificate"},
	{"shared", "MQTT and HTTPS by ALPN name on one port, as AWS does it; left out with a warning where the port cannot be had"},
	{"console", "HTTP without TLS, on this machine only"},
	{"mqtt", "plain MQTT for laboratories, whose clients may do everything"},
	{"metrics", "plain HTTP that answers GET /metrics for Prometheus, and nothing else"},
}

// serveConfig puts the defaults, the file and the flags over each other, in this order.
func serveConfig(w *world, flags *pflag.FlagSet, file, dataDir string) (server.Config, error) {
	cfg := server.Default()
	if file != "" {
		if err := server.LoadFile(file, &cfg); err != nil {
			return cfg, err
		}
	}
	var err error
	flags.Visit(func(f *pflag.Flag) {
		if e := setFlag(&cfg, flags, f); err == nil {
			err = e
		}
	})
	if err != nil {
		return cfg, err
	}
	if dataDir != "" || cfg.DataDir == "" {
		if cfg.DataDir, err = w.dataDir(dataDir); err != nil {
			return cfg, err
		}
	}
	if cfg.DataDir, err = filepath.Abs(cfg.DataDir); err != nil {
		return cfg, err
	}
	cfg.Sigfox.Key = server.SigfoxKey{
		ID: w.env("AWS_ACCESS_KEY_ID"), Secret: w.env("AWS_SECRET_ACCESS_KEY"), Token: w.env("AWS_SESSION_TOKEN"),
	}
	return cfg, cfg.Validate()
}

// setFlag carries over one flag that was given.
func setFlag(cfg *server.Config, flags *pflag.FlagSet, f *pflag.Flag) (err error) {
	value := f.Value.String()
	switch f.Name {
	case "account":
		cfg.Account = value
	case "region":
		cfg.Region = value
	case "sigfox-aws-account":
		cfg.SigfoxAccount = value
	case "sigfox-aws-endpoint":
		cfg.Sigfox.Endpoint = value
	case "sigfox-allow":
		cfg.Sigfox.Allow, err = flags.GetStringArray(f.Name)
	case "sigfox-private":
		cfg.Sigfox.Private, err = flags.GetBool(f.Name)
	case "sigfox-speed":
		cfg.Sigfox.Speed, err = flags.GetFloat64(f.Name)
	case "sigfox-messages":
		cfg.Sigfox.Messages, err = flags.GetInt64(f.Name)
	case "limits":
		cfg.Limits = value
	case "durability":
		cfg.Durability = value
	case "queue-full":
		cfg.QueueFull = value
	case "queue-messages":
		cfg.Queue.Messages, err = flags.GetInt64(f.Name)
	case "queue-bytes":
		cfg.Queue.Bytes, err = flags.GetInt64(f.Name)
	case "queue-age":
		cfg.Queue.Age, err = flags.GetDuration(f.Name)
	case "hostname":
		cfg.Hostnames, err = flags.GetStringArray(f.Name)
	case "listen-mqtt-anywhere":
		cfg.Listen.MQTTAnywhere, err = flags.GetBool(f.Name)
	default:
		if name, ok := strings.CutPrefix(f.Name, "listen-"); ok {
			cfg.Listen.Set(name, value)
		}
	}
	return err
}

func serve(ctx context.Context, w *world, cfg server.Config) error {
	log := slog.New(slog.NewTextHandler(w.stderr, nil))
	s, err := server.New(ctx, cfg, log)
	if err != nil {
		return err
	}
	if err := s.Start(); err != nil {
		_ = s.Close() // the first error counts
		return err
	}
	w.printf("ready%s data-dir=%s\n", addresses(s), cfg.DataDir)
	return s.Run(ctx)
}

// addresses are the listeners that are open, as name=host:port.
func addresses(s *server.Server) string {
	var b strings.Builder
	for _, l := range listenerHelp {
		if addr := s.Addr(l.name); addr != "" {
			b.WriteString(" " + l.name + "=" + addr)
		}
	}
	return b.String()
}
