package server

import (
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
)

// Off is the address of a listener that is not opened.
const Off = "off"

// What a data directory gets at its first start when nobody says otherwise.
const (
	DefaultAccount = "000000000000"
	DefaultRegion  = "us-east-1"
	// DefaultSigfoxAccount is the AWS account of the Sigfox cloud when nobody says another: its real number is not public.
	DefaultSigfoxAccount = "999999999999"
)

// Config is all that can be configured. The keys of the file and the flags of `serve` have the same names.
type Config struct {
	DataDir string
	// InMemory keeps everything in memory instead, for a server in a test: no data directory, no admin socket, keys that
	// are quick to make. Neither the file nor the flags can ask for it.
	InMemory  bool
	Listen    Listeners
	Hostnames []string // names the server answers to; the first is what DescribeEndpoint says

	// Account and Region are fixed at the first start of a data directory. Empty means: as the directory says, else
	// the default.
	Account, Region string

	// SigfoxAccount is the AWS account that the Sigfox cloud of this server calls from: the one that roles of its AWS IoT
	// callbacks trust. Empty means DefaultSigfoxAccount, or another one where that is Account.
	SigfoxAccount string
	Sigfox        Sigfox

	Limits     string // open or aws
	Durability string // sync: what is acknowledged is on disk; relaxed: it is on its way there
	QueueFull  string // drop: a full queue loses the newest message; refuse: its publisher is told instead
	Queue      QueueLimits
}

// QueueLimits bound each queue, of a session or of a shared subscription. A zero is the profile's own number, for Age no
// bound.
type QueueLimits struct {
	Messages, Bytes int64
	// Age is how long the oldest message may have waited in a queue that still takes new ones.
	Age time.Duration
}

// minQueueBytes is the payload of one message as large as it may be: a queue for less would never take it.
const minQueueBytes = 128 << 10

// Listeners are addresses to listen on, host:port or Off. Port 0 takes a free port.
type Listeners struct {
	MQTTS, HTTPS, API, Shared, Console, MQTT, Metrics string

	// MQTTAnywhere allows MQTT, which asks nobody for a name, on an address that others can reach.
	MQTTAnywhere bool
}

// Default is the configuration of a server that nobody configured, but for its data directory.
func Default() Config {
	return Config{
		Listen: Listeners{
			MQTTS: ":8883", HTTPS: ":8443", API: ":9443", Shared: ":443", Console: "127.0.0.1:8080", MQTT: Off, Metrics: Off,
		},
		Limits:     "open",
		Durability: "sync",
		QueueFull:  "drop",
		Sigfox:     Sigfox{Endpoint: SigfoxOwn, Private: true, Speed: 1},
	}
}

// listener is one row of the table of listeners: its name in flags, file, endpoints.json and Addr.
type listener struct {
	name string
	addr *string
}

// all are the listeners in the order in which they open.
func (l *Listeners) all() []listener {
	return []listener{
		{"mqtts", &l.MQTTS},
		{"https", &l.HTTPS},
		{"api", &l.API},
		{"shared", &l.Shared},
		{"console", &l.Console},
		{"mqtt", &l.MQTT},
		{"metrics", &l.Metrics},
	}
}

// Set gives the listener of that name an address; false if there is no such listener.
func (l *Listeners) Set(name, addr string) bool {
	for _, row := range l.all() {
		if row.name == name {
			*row.addr = addr
			return true
		}
	}
	return false
}

// Address is the configured address of the listener of that name, empty if there is no such listener.
func (l *Listeners) Address(name string) string {
	for _, row := range l.all() {
		if row.name == name {
			return *row.addr
		}
	}
	return ""
}

var (
	accountPattern = regexp.MustCompile(`^[0-9]{12}$`)
	regionPattern  = regexp.MustCompile(`^[a-z]{2,8}(-[a-z]{2,12}){1,3}-[0-9]{1,2}$`)
	labelPattern   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
)

// Validate says what is wrong with the configuration, and what to do about it.
func (c *Config) Validate() error {
	if c.DataDir == "" && !c.InMemory {
		return fault.New(fault.Invalid, "no data directory is given").WithRemedy("say --data-dir DIR, or data_dir in the configuration file")
	}
	if c.DataDir != "" && c.InMemory {
		return fault.New(fault.Invalid, "a server in memory has no data directory, not %s", c.DataDir)
	}
	if c.Account != "" && !accountPattern.MatchString(c.Account) {
		return fault.New(fault.Invalid, "account %q is not twelve digits", c.Account).WithRemedy("use a number such as %s", DefaultAccount)
	}
	if c.SigfoxAccount != "" && (!accountPattern.MatchString(c.SigfoxAccount) || c.SigfoxAccount == c.Account) {
		return fault.New(fault.Invalid, "sigfox_aws_account %q is not the number of another account", c.SigfoxAccount).
			WithRemedy("use twelve digits that are not the server's account")
	}
	if c.Region != "" && !regionPattern.MatchString(c.Region) {
		return fault.New(fault.Invalid, "region %q is not the name of a region", c.Region).WithRemedy("use a name such as %s", DefaultRegion)
	}
	for _, name := range c.Hostnames {
		if err := checkHostname(name); err != nil {
			return err
		}
	}
	if err := c.checkChoices(); err != nil {
		return err
	}
	if err := c.Queue.validate(); err != nil {
		return err
	}
	if err := c.Sigfox.validate(); err != nil {
		return err
	}
	return c.Listen.validate()
}

// sigfoxAccount is the account of the Sigfox cloud once the server's own is known.
func (c *Config) sigfoxAccount() string {
	switch {
	case c.SigfoxAccount != "":
		return c.SigfoxAccount
	case c.Account == DefaultSigfoxAccount:
		return DefaultAccount
	}
	return DefaultSigfoxAccount
}

func (q *QueueLimits) validate() error {
	switch {
	case q.Messages < 0:
		return fault.New(fault.Invalid, "queue.messages is %d", q.Messages).WithRemedy("use 1 or more, or leave it out")
	case q.Bytes != 0 && q.Bytes < minQueueBytes:
		return fault.New(fault.Invalid, "queue.bytes is %d: the largest message would never fit", q.Bytes).WithRemedy("use %d or more, or leave it out", minQueueBytes)
	case q.Age != 0 && q.Age < time.Second:
		return fault.New(fault.Invalid, "queue.age is %s", q.Age).WithRemedy("use 1s or more, or leave it out")
	}
	return nil
}

func (c *Config) checkChoices() error {
	for _, choice := range []struct {
		key, value string
		among      []string
	}{
		{"limits", c.Limits, []string{"open", "aws"}},
		{"durability", c.Durability, []string{"sync", "relaxed"}},
		{"queue_full", c.QueueFull, []string{"drop", "refuse"}},
	} {
		if !slices.Contains(choice.among, choice.value) {
			return fault.New(fault.Invalid, "%s is %q", choice.key, choice.value).WithRemedy("use %s", strings.Join(choice.among, " or "))
		}
	}
	return nil
}

// checkHostname takes DNS names and IP addresses. Names of AWS are refused: a client that resolves them the usual way
// would leave this machine with its keys.
func checkHostname(name string) error {
	if _, err := netip.ParseAddr(name); err == nil {
		return nil
	}
	if lower := strings.ToLower(strings.TrimSuffix(name, ".")); lower == "amazonaws.com" || strings.HasSuffix(lower, ".amazonaws.com") {
		return fault.New(fault.Invalid, "hostname %q belongs to AWS", name).WithRemedy("use a name that leads to this machine")
	}
	if len(name) > 253 || !slices.ContainsFunc([]byte(name), isLetter) {
		return fault.New(fault.Invalid, "hostname %q is neither a DNS name nor an IP address", name)
	}
	for label := range strings.SplitSeq(name, ".") {
		if !labelPattern.MatchString(label) {
			return fault.New(fault.Invalid, "hostname %q is neither a DNS name nor an IP address", name).WithRemedy("use letters, digits, hyphens and dots; no scheme, no port")
		}
	}
	return nil
}

func isLetter(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' }

func (l *Listeners) validate() error {
	open := 0
	for _, row := range l.all() {
		if *row.addr == Off {
			continue
		}
		open++
		if err := checkAddress(row.name, *row.addr); err != nil {
			return err
		}
	}
	if open == 0 {
		return fault.New(fault.Invalid, "every listener is off").WithRemedy("open one, for instance --listen-mqtts :8883")
	}
	if !onLoopback(l.Console) {
		return fault.New(fault.Invalid, "the console listens without TLS and is for this machine only, not for %q", l.Console).
			WithRemedy("use --listen-console 127.0.0.1:8080, and reach it from afar through an SSH tunnel")
	}
	if !onLoopback(l.MQTT) && !l.MQTTAnywhere {
		return fault.New(fault.Invalid, "plain MQTT lets everybody do everything and %q can be reached by others", l.MQTT).
			WithRemedy("use --listen-mqtt 127.0.0.1:1883, or force it with --listen-mqtt-anywhere")
	}
	return nil
}

func checkAddress(name, addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fault.New(fault.Invalid, "listener %s: %q is not an address", name, addr).WithRemedy("use host:port, :port, or off")
	}
	return nil
}

// onLoopback reports whether only this machine can reach addr, or nobody.
func onLoopback(addr string) bool {
	if addr == Off {
		return true
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
