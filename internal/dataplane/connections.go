package dataplane

import (
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/fault"
)

// clientID is the client that the path names. Those that begin with $ are the service's own names for clients without
// one; AWS's model refuses them.
func (h *Handler) clientID(c *call) (string, error) {
	id, err := c.target.text("client id")
	if err != nil {
		return "", err
	}
	if id == "" || len(id) > h.limits.ClientID || id[0] == '$' || !utf8.ValidString(id) || strings.IndexByte(id, 0) >= 0 {
		return "", fault.New(fault.Invalid, "%q is no client id", fault.Shortened(id)).
			WithRemedy("a client id has 1 to %d bytes of UTF-8 and does not begin with $", h.limits.ClientID)
	}
	return id, nil
}

// connectionInfo is the answer of GetConnection. Times are milliseconds since 1970.
type connectionInfo struct {
	Connected         bool   `json:"connected"`
	ThingName         string `json:"thingName,omitempty"`
	CleanSession      bool   `json:"cleanSession"`
	SourceIP          string `json:"sourceIp,omitempty"`
	SourcePort        uint16 `json:"sourcePort,omitempty"`
	TargetIP          string `json:"targetIp,omitempty"`
	TargetPort        uint16 `json:"targetPort,omitempty"`
	KeepAlive         int64  `json:"keepAliveDuration,omitempty"` // seconds
	ConnectedSince    int64  `json:"connectedSince,omitempty"`
	DisconnectedSince int64  `json:"disconnectedSince,omitempty"`
	DisconnectReason  string `json:"disconnectReason,omitempty"`
	SessionExpiry     int64  `json:"sessionExpiry"` // seconds
	ClientID          string `json:"clientId"`
}

// getConnection is GET /connections/{clientId}.
func (h *Handler) getConnection(c *call) error {
	id, q, err := h.readManage(c, getParameters)
	if err != nil {
		return err
	}
	info, err := h.broker.GetConnection(c.by(), id, q.includeSocket)
	if err != nil {
		return err
	}
	out := connectionInfo{
		Connected: info.Connected, ThingName: info.Thing, CleanSession: info.CleanSession,
		KeepAlive: seconds(info.Socket.KeepAlive), DisconnectReason: string(info.Reason),
		SessionExpiry: seconds(info.SessionExpiry), ClientID: info.ClientID,
	}
	out.SourceIP, out.SourcePort = awsapi.EndOf(info.Socket.Source)
	out.TargetIP, out.TargetPort = awsapi.EndOf(info.Socket.Target)
	if info.Connected {
		out.ConnectedSince = info.Since
	} else {
		out.DisconnectedSince = info.Since
	}
	awsapi.WriteJSON(c.w, http.StatusOK, out)
	return nil
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// readManage reads client id and query of a call about a connection.
func (h *Handler) readManage(c *call, known []parameter) (id string, q parameters, err error) {
	q.limits = h.limits
	if id, err = h.clientID(c); err != nil {
		return "", q, err
	}
	return id, q, q.read(c.r.URL.RawQuery, known)
}

// deleteConnection is DELETE /connections/{clientId}.
func (h *Handler) deleteConnection(c *call) error {
	id, q, err := h.readManage(c, deleteParameters)
	if err != nil {
		return err
	}
	err = h.broker.DeleteConnection(c.by(), id, broker.DeleteOptions{CleanSession: q.cleanSession, PreventWill: q.preventWill})
	if err != nil {
		return err
	}
	awsapi.WriteJSON(c.w, http.StatusOK, nil)
	return nil
}

type subscriptionInfo struct {
	TopicFilter string `json:"topicFilter"`
	QoS         int    `json:"qos"`
}

// usualSubscriptions is the page of ListSubscriptions when no size is asked for.
const usualSubscriptions = 20

// listSubscriptions is GET /connections/{clientId}/subscriptions.
func (h *Handler) listSubscriptions(c *call) error {
	id, err := h.clientID(c)
	if err != nil {
		return err
	}
	q := parameters{maxResults: usualSubscriptions}
	after, err := q.readPage(c)
	if err != nil {
		return err
	}
	page, next, err := h.broker.ListSubscriptions(c.by(), id, after, q.maxResults)
	if err != nil {
		return err
	}
	out := struct {
		Subscriptions []subscriptionInfo `json:"subscriptions"`
		NextToken     string             `json:"nextToken,omitempty"`
	}{make([]subscriptionInfo, 0, len(page)), c.token(next)}
	for _, s := range page {
		out.Subscriptions = append(out.Subscriptions, subscriptionInfo{s.Filter, int(s.QoS)})
	}
	awsapi.WriteJSON(c.w, http.StatusOK, out)
	return nil
}
