package broker

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
)

// Socket is what a door knows of a client's connection besides its CONNECT; GetConnection tells it.
type Socket struct {
	Source, Target netip.AddrPort // the client's end and ours; not valid where the connection has no addresses
	KeepAlive      time.Duration  // that the server uses
}

// ConnectionInfo is what GetConnection tells of a client.
type ConnectionInfo struct {
	ClientID  string
	Connected bool
	Thing     string // of an exclusive attachment, empty for none
	// CleanSession says that the session ends with the connection; else it waits for SessionExpiry.
	CleanSession  bool
	SessionExpiry time.Duration
	Socket        Socket
	// Since is when the client connected, or when it went, in milliseconds since 1970; 0 when that was too long ago.
	Since  int64
	Reason Reason // why it went; empty while it is there and when that was too long ago
}

// GetConnection tells of a client who is connected, went in the last 30 minutes, or has a persistent session, for a caller
// who may (iot:GetConnection on client/…). sockets says that addresses are asked for, which a policy can forbid. There is no
// such client: fault.NotFound.
func (b *Broker) GetConnection(by *Caller, clientID string, sockets bool) (ConnectionInfo, error) {
	keys := map[string][]string{"iot:IncludeSocketInformation": {strconv.FormatBool(sockets)}}
	if err := b.mayAsk(by, "get the connection of", "iot:GetConnection", "client", clientID, keys); err != nil {
		return ConnectionInfo{}, err
	}
	if err := b.data.get.allow("GetConnection", clientID); err != nil {
		return ConnectionInfo{}, err
	}
	info, known := b.lookUp(clientID, connectionMemory)
	if !known {
		return info, errNoClient(clientID)
	}
	if !sockets {
		info.Socket.Source, info.Socket.Target = netip.AddrPort{}, netip.AddrPort{}
	}
	return info, nil
}

func errNoClient(clientID string) error {
	return fault.New(fault.NotFound, "no client %q is connected, was so in the last 30 minutes, or has a persistent session", clientID).
		WithRemedy("check the client id; thingwire why shows what is known of it")
}

// Connectivity is what GetConnection tells, without asking whether the caller may, for a door that has asked by an operation
// of its own. How the last connection ended is known for an hour.
func (b *Broker) Connectivity(clientID string) (info ConnectionInfo, known bool) {
	return b.lookUp(clientID, departedMemory)
}

// lookUp gathers what is known of a client; an end is known for so long.
func (b *Broker) lookUp(clientID string, memory time.Duration) (info ConnectionInfo, known bool) {
	sh := b.shard(clientID)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	c, s := sh.find(clientID)
	if c != nil {
		return c.info(), true
	}
	info, known = b.departed.find(clientID, memory)
	if s == nil {
		return info, known
	}
	info.ClientID, info.CleanSession, info.SessionExpiry = clientID, false, s.expiry
	return info, true
}

// info is the connection as it is. Under the holder's shard.
func (c *Connection) info() ConnectionInfo {
	return ConnectionInfo{
		ClientID: c.caller.ClientID, Connected: true, Thing: c.presence.thing, CleanSession: c.expiry == 0,
		SessionExpiry: c.expiry, Socket: c.socket, Since: c.since,
	}
}

// find gives the connection of a client id and its session; of one who is away the stored session that was left last.
// Under sh.mu.
func (sh *holderShard) find(clientID string) (*Connection, *session) {
	h := sh.m[clientID]
	if h == nil {
		return nil, nil
	}
	if h.live != nil {
		return h.live, h.live.session
	}
	s := h.stored[0]
	if t := h.stored[1]; s == nil || t != nil && t.left > s.left {
		s = t
	}
	return nil, s
}

// DeleteOptions say what becomes of what a client leaves behind.
type DeleteOptions struct {
	CleanSession bool // its persistent session ends as well
	PreventWill  bool // its will is not published
}

// DeleteConnection ends the connection of a client as an administrator does, for a caller who may (iot:DeleteConnection on
// client/…). A client who is not connected is fault.NotFound, also where it has a persistent session. When it returns nil
// with CleanSession the session is gone from the store.
func (b *Broker) DeleteConnection(by *Caller, clientID string, o DeleteOptions) error {
	if err := b.mayAsk(by, "delete the connection of", "iot:DeleteConnection", "client", clientID, nil); err != nil {
		return err
	}
	if err := b.data.remove.allow("DeleteConnection", clientID); err != nil {
		return err
	}
	c, s := b.find(clientID)
	if c == nil {
		return errNotConnected(clientID, s)
	}
	if o.PreventWill {
		c.will.Store(nil)
	}
	if o.CleanSession {
		none := time.Duration(0)
		c.SetExpiry(&none)
	}
	c.end(Cause{
		Reason: APIInitiated, Code: codeAdministrativeAction,
		Text: "DeleteConnection was called by " + by.Principal,
	}, false)
	if o.CleanSession {
		return b.forgetNow(s)
	}
	return nil
}

func (b *Broker) find(clientID string) (*Connection, *session) {
	sh := b.shard(clientID)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.find(clientID)
}

// errNotConnected says whether what was asked for could come later.
func errNotConnected(clientID string, s *session) error {
	if s != nil && s.persistent {
		return fault.New(fault.NotFound, "client %q is not connected; it has a persistent session", clientID).
			WithRemedy("try again when it has connected")
	}
	return fault.New(fault.NotFound, "client %q is not connected", clientID).WithRemedy("check the client id")
}

// forgetNow waits until a session that has ended with its connection is gone from the store. One that a newer connection
// has taken meanwhile is not touched.
func (b *Broker) forgetNow(s *session) error {
	if !s.persistent {
		return nil
	}
	sh := b.shard(s.clientID)
	sh.mu.Lock()
	h := sh.m[s.clientID]
	stays := h != nil && h.stored[slot(s.protocol)] == s
	sh.mu.Unlock()
	if stays {
		return nil
	}
	var sb store.Batch
	if err := b.forget(s, &sb); err != nil {
		return err
	}
	return b.keepRecord(s, &sb).Wait()
}

// SubscriptionInfo is one filter of a client.
type SubscriptionInfo struct {
	Filter string // as the client gave it
	QoS    byte   // granted
}

// ListSubscriptions lists up to limit filters of a client that come behind after, in their order, for a caller who may
// (iot:ListSubscriptions on client/…). Of a client who is away it lists those of its persistent session. next is where the
// next page begins, empty when there is none.
func (b *Broker) ListSubscriptions(by *Caller, clientID, after string, limit int) (page []SubscriptionInfo, next string, err error) {
	if err := b.mayAsk(by, "list the subscriptions of", "iot:ListSubscriptions", "client", clientID, nil); err != nil {
		return nil, "", err
	}
	if err := b.data.subscriptions.allow("ListSubscriptions", clientID); err != nil {
		return nil, "", err
	}
	_, s := b.find(clientID)
	if s == nil {
		return nil, "", fault.New(fault.NotFound, "client %q is not connected and has no persistent session", clientID).
			WithRemedy("check the client id")
	}
	page = s.filtersAfter(after)
	slices.SortFunc(page, func(x, y SubscriptionInfo) int { return strings.Compare(x.Filter, y.Filter) })
	if len(page) > limit {
		page = page[:limit]
		next = page[limit-1].Filter
	}
	return page, next, nil
}

func (s *session) filtersAfter(after string) []SubscriptionInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]SubscriptionInfo, 0, len(s.subs))
	for filter, sub := range s.subs {
		if filter > after {
			list = append(list, SubscriptionInfo{filter, sub.qos})
		}
	}
	return list
}
