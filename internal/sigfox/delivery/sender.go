package delivery

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"time"
)

// Bounds of a delivery.
const (
	// DefaultTimeout is how long a receiver has for its whole answer (Sigfox reference, section 6).
	DefaultTimeout = 10 * time.Second
	// DefaultMaxAnswer is how much of an answer is read, in bytes.
	DefaultMaxAnswer = 64 << 10

	maxURL      = 2 << 10   // bytes after rendering (section 3)
	maxBatchURL = 16 << 10  // a batch of fifty lines in a query passes the limit of a single message
	maxBody     = 128 << 10 // the limit of an AWS IoT payload
	maxHeaders  = 20
)

// userAgent is what receivers of Sigfox's own callbacks see.
const userAgent = "SIGFOX"

// ViaHeader names the server that a callback comes from (Config.Origin), so that it knows its own callbacks when they come
// back by a way that the Guard cannot see: through a proxy, or by an address that is not this machine's.
const ViaHeader = "X-Thingwire-Via"

// Key is an access key of AWS, or the credentials of a session. No printed form has the secret.
type Key struct{ ID, Secret, Token string }

// String shows the id alone.
func (k Key) String() string { return k.ID }

// GoString shows the id alone.
func (k Key) GoString() string { return "delivery.Key{" + k.ID + "}" }

// Endpoints are base URLs of the services of a region.
type Endpoints struct{ STS, Data string }

// Config is what a Sender needs. What is zero has a default; without Key no AWS IoT callback can be delivered.
type Config struct {
	// Guard decides which addresses callbacks of the channels URL and BatchURL may reach. The endpoints of AWS IoT
	// callbacks are the operator's, and are not asked about.
	Guard Guard
	// Origin names this server in the header ViaHeader of callbacks; none is sent when it is empty.
	Origin string
	// Roots are the authorities that certificates of receivers chain to; those of the system when nil.
	Roots *x509.CertPool

	// Endpoints gives the services of a region. A region or a service that it leaves empty is at its host of AWS.
	Endpoints func(region string) Endpoints
	// EndpointRoots are the authorities of the endpoints; those of the system when nil.
	EndpointRoots *x509.CertPool
	// Key gives the access key of Sigfox's own account, which assumes the customers' roles.
	Key func(context.Context) (Key, error)

	Timeout   time.Duration // DefaultTimeout when zero
	MaxAnswer int64         // bytes; DefaultMaxAnswer when zero
	Now       func() time.Time
}

// Sender delivers. It is safe for concurrent use.
type Sender struct {
	cfg   Config
	named http.RoundTripper // with SNI
	plain http.RoundTripper // without
	aws   http.RoundTripper
	idle  []*http.Transport
	roles roleCache

	life context.Context //nolint:containedctx // ends with Close, and with it what outlives a caller
	stop context.CancelFunc
	work tasks // dials, and roles being assumed
}

// New makes a Sender. Close ends it.
func New(cfg Config) *Sender {
	return newSender(cfg, nil)
}

// dialFunc opens a connection.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// newSender is New with another way to connect, for tests without a network.
func newSender(cfg Config, dial dialFunc) *Sender {
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.MaxAnswer == 0 {
		cfg.MaxAnswer = DefaultMaxAnswer
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Sender{cfg: cfg}
	s.life, s.stop = context.WithCancel(context.Background())
	guarded, open := dial, dial
	if dial == nil {
		guarded = s.waited((&net.Dialer{Timeout: cfg.Timeout, ControlContext: cfg.Guard.control}).DialContext)
		open = s.waited((&net.Dialer{Timeout: cfg.Timeout}).DialContext)
	}
	named := s.transport(guarded, cfg.Roots)
	plain := s.transport(guarded, cfg.Roots)
	plain.DialTLSContext = s.waited(withoutName(guarded, cfg.Roots, cfg.Timeout))
	aws := s.transport(open, cfg.EndpointRoots)
	s.named, s.plain, s.aws = named, plain, aws
	s.idle = []*http.Transport{named, plain, aws}
	return s
}

// Deliver sends a request once and says what became of it. It takes at most the timeout for each request that goes out:
// one for a URL; for AWS IoT a publish, and an AssumeRole when there are no good credentials.
func (s *Sender) Deliver(ctx context.Context, r *Request) Outcome {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	var out Outcome
	switch {
	case r.Channel == AWSIoT && r.AWS != nil:
		out = s.publish(ctx, r)
	case r.Channel == URL || r.Channel == BatchURL:
		out = s.call(ctx, r)
	default:
		out = Outcome{Info: "Channel " + r.Channel + " cannot be delivered", Remedy: "use URL, BATCH_URL or AWS_IOT"}
	}
	if !out.OK && (ctx.Err() != nil || s.life.Err() != nil) {
		out.Status, out.Info, out.Remedy, out.Interrupted = 0, "Interrupted", "it is delivered again when the server runs again", true
	}
	out.At = s.cfg.Now()
	return out
}

// Close ends what is on its way and closes all connections.
func (s *Sender) Close() {
	s.stop()
	s.work.close()
	for _, t := range s.idle {
		t.CloseIdleConnections()
	}
}
