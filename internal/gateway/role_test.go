package gateway

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/journal"
)

const trustAccount = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*"}}`

// ofRole is a session of a role that may do what a policy says.
func (r *rig) ofRole(s *signer, policy string, lasts time.Duration) *signer {
	r.t.Helper()
	ctx := r.t.Context()
	role, err := r.keys.CreateRole(ctx, iam.NewRole{Name: "Cloud", Trust: trustAccount})
	must(r.t, err)
	must(r.t, r.keys.PutRolePolicy(ctx, "cloud", "own", policy))
	by, err := r.keys.Identify(ctx, s.AccessKeyID, "")
	must(r.t, err)
	session, err := r.keys.AssumeRole(ctx, by, by.Vars, iam.Assumption{RoleARN: role.ARN, SessionName: "s1", Duration: lasts})
	must(r.t, err)
	own := *s
	own.AccessKeyID, own.Secret, own.Token = session.AccessKeyID, session.Secret.Reveal(), session.Token.Reveal()
	return &own
}

// TestRolePolicyOnALiveConnection: the policies of the role count, with variables of its session, and their change is felt
// on a live connection.
func TestRolePolicyOnALiveConnection(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		narrow := document(statement("Allow", "Connect", "client/c"), statement("Allow", "Publish", "topic/${aws:userid}"), statement("Allow", "Publish", "topic/a"))
		s := r.ofRole(r.signer(document()), narrow, time.Hour)
		refused := r.web(s)
		refused.version = 5
		refused.send(hello{id: "d", clean: true}.bytes(5))
		refused.want("CONNACK 87 present=false", "closed")

		role, err := r.keys.GetRole(t.Context(), "cloud")
		must(t, err)
		c := r.joinWeb(s, 5, "c")
		c.send(c.publish("b", "1", 1, 1), c.publish("a", "2", 1, 2), c.publish(role.ID+":s1", "3", 1, 3))
		if got := c.seen(); !slices.Contains(got, "PUBACK 1 87") || !slices.Contains(got, "PUBACK 2") || !slices.Contains(got, "PUBACK 3") {
			t.Errorf("got %q", got)
		}
		must(t, r.keys.PutRolePolicy(t.Context(), "cloud", "own", allowAll))
		synctest.Wait()
		c.send(c.publish("b", "4", 1, 4))
		c.wantSeen("PUBACK 4")
	}, withKeys)
}

// TestRoleTakenBack: a role that is deleted ends the connections of its sessions within a second, and those of nobody else.
func TestRoleTakenBack(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		user := r.signer(allowAll)
		s := r.ofRole(user, allowAll, time.Hour)
		of, other := r.joinWeb(s, 5, "of"), r.joinWeb(user, 5, "other")
		must(t, r.keys.DeleteRolePolicy(t.Context(), "cloud", "own"))
		began := time.Now()
		must(t, r.keys.DeleteRole(t.Context(), "cloud"))
		of.want("DISCONNECT 87", "closed")
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %s", took)
		}
		r.wantCause("of", "SERVER_INITIATED_DISCONNECT")
		entries := r.journal.Query(journal.Query{ClientID: "of"})
		if e := entries[len(entries)-1]; !strings.Contains(e.Cause, "of role Cloud, session s1: the role Cloud is gone") {
			t.Errorf("the journal says %+v", e)
		}
		other.ping()
	}, withKeys)
}

// TestRoleSessionEnds: a connection ends with the session of a role that signed it.
func TestRoleSessionEnds(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		c := r.joinWeb(r.ofRole(r.signer(allowAll), allowAll, 15*time.Minute), 5, "c")
		pass(15*time.Minute - time.Second)
		c.ping()
		c.want("DISCONNECT 98", "closed")
		r.wantCause("c", "WEBSOCKET_TTL_EXPIRATION")
		entries := r.journal.Query(journal.Query{ClientID: "c"})
		if e := entries[len(entries)-1]; !strings.Contains(e.Cause, "of role Cloud, session s1 was good until") {
			t.Errorf("the journal says %+v", e)
		}
	}, withKeys)
}
