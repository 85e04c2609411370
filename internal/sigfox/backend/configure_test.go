package backend

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/template"
)

// wantRefusal wants a refusal of a kind that is about a member.
func wantRefusal(t *testing.T, what string, err error, kind fault.Kind, field string) {
	t.Helper()
	var f Field
	if !fault.Is(err, kind) || field != "" && (!errors.As(err, &f) || string(f) != field) {
		t.Errorf("%s: %v (about %q), want a refusal of kind %q about %q", what, err, f, kind, field)
	}
}

func TestDeviceTypesThatAreRefused(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		for _, row := range []struct {
			field  string
			change func(d *DeviceType)
		}{
			{"name", func(d *DeviceType) { d.Name = "" }},
			{"name", func(d *DeviceType) { d.Name = " x" }},
			{"name", func(d *DeviceType) { d.Name = strings.Repeat("x", 101) }},
			{"description", func(d *DeviceType) { d.Description = strings.Repeat("x", 301) }},
			{"alertEmail", func(d *DeviceType) { d.AlertEmail = "nobody" }},
			{"keepAlive", func(d *DeviceType) { d.KeepAlive = 1799 }},
			{"keepAlive", func(d *DeviceType) { d.KeepAlive = -1 }},
			{"payloadType", func(d *DeviceType) { d.PayloadType = 7 }},
			{"payloadConfig", func(d *DeviceType) { d.PayloadType = PayloadCustom }},
			{"payloadConfig", func(d *DeviceType) { d.PayloadType, d.PayloadConfig = PayloadCustom, "temp::float" }},
			{"downlinkMode", func(d *DeviceType) { d.DownlinkMode = 4 }},
			{"downlinkDataString", func(d *DeviceType) { d.DownlinkMode, d.DownlinkData = DownlinkDirect, "00" }},
		} {
			d := *NewDeviceType("another")
			row.change(&d)
			_, err := w.CreateDeviceType(d)
			wantRefusal(t, fmt.Sprintf("%+v", d), err, fault.Invalid, row.field)
			_, err = w.EditDeviceType(w.Context(), w.kind.ID, func(old *DeviceType) error { row.change(old); return nil })
			wantRefusal(t, fmt.Sprintf("edited to %+v", d), err, fault.Invalid, row.field)
		}
		_, err := w.CreateDeviceType(*NewDeviceType("type"))
		wantRefusal(t, "the same name", err, fault.Exists, "name")
		w.want("device types", w.docs(deviceTypesBucket), 1)
	})
}

func TestLifeOfADeviceType(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		id := w.kind.ID
		_, err := w.EditDeviceType(w.Context(), id, func(d *DeviceType) error { d.ID, d.Name, d.DownlinkHook = "x", "renamed", "y"; return nil })
		w.must(err)
		if _, err := w.FindDeviceType(w.Context(), "type"); !fault.Is(err, fault.NotFound) {
			t.Errorf("by its old name: %v", err)
		}
		for _, name := range []string{"renamed", id} {
			d, err := w.FindDeviceType(w.Context(), name)
			w.must(err)
			w.want("id", d.ID, id)
			w.want("hook", d.DownlinkHook, "")
		}
		w.callback(Callback{})
		_, err = w.CreateDraft(w.Context(), id)
		w.must(err)
		wantRefusal(t, "with a device", w.DeleteDeviceType(w.Context(), id), fault.InUse, "")
		w.must(w.DeleteDevice(w.Context(), dev))
		w.must(w.DeleteDeviceType(w.Context(), id))
		wantRefusal(t, "again", w.DeleteDeviceType(w.Context(), id), fault.NotFound, "")
		for _, bucket := range []string{deviceTypesBucket, typeNamesBucket, callbacksBucket, draftsBucket, devicesBucket, typeDevicesBucket, livesBucket} {
			w.want(bucket, w.docs(bucket), 0)
		}
	})
}

func TestDevices(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		for field, d := range map[string]Device{
			"id": {ID: "123456789", DeviceType: w.kind.ID}, "pac": {ID: "1", PAC: "12", DeviceType: w.kind.ID}, "name": {ID: "1", Name: "a\nb", DeviceType: w.kind.ID},
			"state": {ID: "1", State: 9, DeviceType: w.kind.ID}, "lat": {ID: "1", Position: &Position{91, 0}, DeviceType: w.kind.ID},
		} {
			_, err := w.CreateDevice(w.Context(), d)
			wantRefusal(t, field, err, fault.Invalid, field)
		}
		_, err := w.CreateDevice(w.Context(), Device{ID: "1", DeviceType: "none"})
		wantRefusal(t, "no type", err, fault.NotFound, "")
		_, err = w.CreateDevice(w.Context(), Device{ID: "004d3091", DeviceType: w.kind.ID})
		wantRefusal(t, "twice", err, fault.Exists, "id")

		other, err := w.CreateDeviceType(*NewDeviceType("other"))
		w.must(err)
		d, err := w.CreateDevice(w.Context(), Device{ID: "00a1", DeviceType: other.ID, PAC: "0123456789abcdef"})
		w.must(err)
		w.want("id", d.ID, "A1")
		w.want("name", d.Name, "A1")
		w.want("PAC", d.PAC, "0123456789ABCDEF")
		list, _, err := w.Devices(w.Context(), "", Page{})
		w.must(err)
		w.want("first", list[0].ID, "A1") // by number, not by text
		w.want("second", list[1].ID, dev)
		w.want("PAC made", len(list[1].PAC), 16)
		list, _, err = w.Devices(w.Context(), other.ID, Page{Limit: 1})
		w.must(err)
		w.want("of the type", len(list), 1)
		_, err = w.EditDevice(w.Context(), "a1", func(d *Device) error { d.DeviceType = w.kind.ID; return nil })
		w.must(err)
		list, next, err := w.Devices(w.Context(), w.kind.ID, Page{Limit: 1})
		w.must(err)
		w.want("page", list[0].ID, "A1")
		list, next, err = w.Devices(w.Context(), w.kind.ID, Page{Limit: 1, After: next})
		w.must(err)
		w.want("page", list[0].ID, dev)
		w.want("next", next, "")
	})
}

// A device that is deleted leaves nothing behind, and nothing comes back when its id is registered anew.
func TestDeviceThatIsDeleted(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		w.mode(DownlinkDirect, "")
		w.callback(Callback{})
		w.receiver.set(says(500, "Internal Server Error", ""))
		w.ask()
		w.show(w.uplink("01"))
		w.must(w.DeleteDevice(w.Context(), dev))
		for _, bucket := range []string{devicesBucket, livesBucket, messagesBucket, resultsBucket, downlinksBucket} {
			w.want(bucket, w.docs(bucket), 0)
		}
		w.after(1)
		_, err := w.CreateDevice(w.Context(), Device{ID: dev, DeviceType: w.kind.ID})
		w.must(err)
		w.after(60e9)
		w.want("results", w.docs(resultsBucket), 0)
		list, _, err := w.Messages(w.Context(), dev, MessageQuery{}, Page{})
		w.must(err)
		w.want("messages", len(list), 0)
		w.after(600e9)
	})
}

// good is an AWS_IOT callback that is taken.
func good(typeID string) Callback {
	return Callback{
		DeviceType: typeID, Channel: ChannelAWS, Subtype: 2, Enabled: true, RoleARN: "arn:aws:iam::123456789012:role/r", Region: "eu-west-1", Topic: "sigfox",
		Body: `{"device":"{device}"}`,
	}
}

func TestCallbacksThatAreRefused(t *testing.T) {
	many := make([]Header, 21)
	for i := range many {
		many[i] = Header{Name: fmt.Sprint("X-", i)}
	}
	url := func(c *Callback) {
		*c = Callback{DeviceType: c.DeviceType, Channel: ChannelURL, Subtype: 2, URL: "https://example.org/"}
	}
	batch := func(c *Callback) {
		url(c)
		c.Channel, c.URL, c.LinePattern = ChannelBatch, "https://example.org/?b={batch}", "{device};"
	}
	bubble(t, Config{}, func(w *world) {
		for _, row := range []struct {
			field  string
			kind   fault.Kind
			change func(c *Callback)
		}{
			{"channel", fault.Invalid, func(c *Callback) { c.Channel = "FAX" }},
			{"channel", fault.Unsupported, func(c *Callback) { c.Channel = "EMAIL" }},
			{"callbackSubtype", fault.Invalid, func(c *Callback) { c.Subtype = 9 }},
			{"callbackSubtype", fault.Unsupported, func(c *Callback) { c.Type, c.Subtype = 1, 1 }},
			{"callbackSubtype", fault.Unsupported, func(c *Callback) { c.Type, c.Subtype = 1, 5 }},
			{"callbackSubtype", fault.Unsupported, func(c *Callback) { c.Subtype = 3 }},
			{"payloadConfig", fault.Invalid, func(c *Callback) { c.PayloadConfig = "t::uint:0" }},
			{"payloadConfig", fault.Invalid, func(c *Callback) { c.Type, c.Subtype, c.PayloadConfig = 1, 0, "t::uint:8" }},
			{"roleArn", fault.Invalid, func(c *Callback) { c.RoleARN = "" }},
			{"roleArn", fault.Invalid, func(c *Callback) { c.RoleARN = "arn:aws:iam::123:role/r" }},
			{"region", fault.Invalid, func(c *Callback) { c.Region = "Ireland" }},
			{"topic", fault.Invalid, func(c *Callback) { c.Topic = "" }},
			{"topic", fault.Invalid, func(c *Callback) { c.Topic = "sigfox/#" }},
			{"topic", fault.Invalid, func(c *Callback) { c.Topic = "$aws/x" }},
			{"topic", fault.Invalid, func(c *Callback) { c.Topic = "a/b/c/d/e/f/g/h/i" }},
			{"topic", fault.Invalid, func(c *Callback) { c.Topic = "sigfox/{device}" }},
			{"bodyTemplate", fault.Invalid, func(c *Callback) { c.Type, c.Subtype, c.Body = 1, 0, "" }},
			{"bodyTemplate", fault.Invalid, func(c *Callback) { c.Body = `{"a":"{nothing}"}` }},
			{"bodyTemplate", fault.Invalid, func(c *Callback) { c.Body = `{"a":"{customData#t}"}` }},
			{"url", fault.Invalid, func(c *Callback) { c.URL = "https://example.org/" }},
			{"url", fault.Invalid, func(c *Callback) { url(c); c.URL = "" }},
			{"url", fault.Invalid, func(c *Callback) { url(c); c.URL = "ftp://example.org/" }},
			{"url", fault.Invalid, func(c *Callback) { url(c); c.URL = "https://{device}.example.org/" }},
			{"httpMethod", fault.Invalid, func(c *Callback) { url(c); c.Method = "DELETE" }},
			{"bodyTemplate", fault.Invalid, func(c *Callback) { url(c); c.Method, c.Body = "GET", "x" }},
			{"contentType", fault.Invalid, func(c *Callback) { url(c); c.ContentType = "text/html" }},
			{"contentType", fault.Invalid, func(c *Callback) { url(c); c.Type, c.Subtype = 1, 6 }},
			{"bodyTemplate", fault.Invalid, func(c *Callback) { url(c); c.ContentType = "application/json" }},
			{"headers", fault.Invalid, func(c *Callback) { url(c); c.Headers = many }},
			{"headers", fault.Invalid, func(c *Callback) { url(c); c.Headers = headers("Host", "x") }},
			{"headers", fault.Invalid, func(c *Callback) { url(c); c.Headers = headers("X-{device}", "x") }},
			{"headers", fault.Invalid, func(c *Callback) { url(c); c.Headers = append(headers("X-A", "x"), headers("x-a", "y")...) }},
			{"headers", fault.Invalid, func(c *Callback) {
				url(c)
				c.URL, c.Headers = "https://a:b@example.org/", headers("Authorization", "x")
			}},
			{"channel", fault.Invalid, func(c *Callback) { url(c); c.Topic = "sigfox" }},
			{"linePattern", fault.Invalid, func(c *Callback) { url(c); c.LinePattern = "x" }},
			{"linePattern", fault.Invalid, func(c *Callback) { batch(c); c.LinePattern = "" }},
			{"url", fault.Invalid, func(c *Callback) { batch(c); c.URL = "https://example.org/?d={device}" }},
			{"url", fault.Invalid, func(c *Callback) { batch(c); c.URL = "https://example.org/" }},
			{"channel", fault.Invalid, func(c *Callback) {
				batch(c)
				c.Type, c.Subtype, c.Method, c.ContentType, c.Body = 1, 6, "POST", "application/json", `["{batch}"]`
			}},
		} {
			c := good(w.kind.ID)
			row.change(&c)
			_, err := w.CreateCallback(w.Context(), c, "")
			wantRefusal(t, fmt.Sprintf("%+v", c), err, row.kind, row.field)
		}
		c := good("none")
		_, err := w.CreateCallback(w.Context(), c, "")
		wantRefusal(t, "no type", err, fault.NotFound, "")
		w.want("callbacks", w.docs(callbacksBucket), 0)
		for range template.MaxCallbacks {
			w.callback(Callback{})
		}
		_, err = w.CreateCallback(w.Context(), good(w.kind.ID), "")
		wantRefusal(t, "the 51st", err, fault.Throttled, "")
	})
}

// The external id is the backend's, from the draft on to the callback's end.
func TestExternalID(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		d, err := w.CreateDraft(w.Context(), w.kind.ID)
		w.must(err)
		drafts, err := w.Drafts(w.Context(), w.kind.ID)
		w.must(err)
		w.want("draft", drafts[0], *d)
		c := good(w.kind.ID)
		c.ExternalID = "mine"
		s, err := w.CreateCallback(w.Context(), c, d.ID)
		w.must(err)
		w.want("of the draft", s.ExternalID, d.ExternalID)
		_, err = w.CreateCallback(w.Context(), c, d.ID)
		wantRefusal(t, "a draft that is saved", err, fault.NotFound, "draft")
		own, err := w.CreateCallback(w.Context(), c, "")
		w.must(err)
		w.want("another one", own.ExternalID != d.ExternalID && own.ExternalID != "mine" && len(own.ExternalID) > 20, true)
		s, err = w.EditCallback(w.Context(), w.kind.ID, s.ID, func(c *Callback) error { c.ExternalID, c.Channel, c.Topic = "mine", ChannelURL, "other"; return nil })
		w.must(err)
		w.want("after an edit", s.ExternalID, d.ExternalID)
		w.want("channel", s.Channel, ChannelAWS)
		w.want("topic", s.Topic, "other")
		for range maxDrafts {
			_, err = w.CreateDraft(w.Context(), w.kind.ID)
			w.must(err)
		}
		_, err = w.CreateDraft(w.Context(), w.kind.ID)
		wantRefusal(t, "one too many", err, fault.Throttled, "")
		w.after(draftAge + 1e9)
		_, err = w.CreateDraft(w.Context(), w.kind.ID)
		w.must(err)
		w.want("drafts", w.docs(draftsBucket), 1)
	})
}

// One BIDIR callback of a device type is the one for downlinks; selecting another moves it, deleting it ends it.
func TestDownlinkHook(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		one, two, other := w.callback(Callback{Subtype: 3}), w.callback(Callback{Subtype: 3}), w.callback(Callback{})
		hooks := func() string {
			all, err := w.Callbacks(w.Context(), w.kind.ID)
			w.must(err)
			found := ""
			for _, c := range all {
				if c.DownlinkHook {
					found += c.ID
				}
			}
			return found
		}
		w.want("at first", hooks(), "")
		wantRefusal(t, "an UPLINK callback", w.SelectDownlink(w.Context(), w.kind.ID, other.ID), fault.Invalid, "callbackSubtype")
		w.must(w.SelectDownlink(w.Context(), w.kind.ID, one.ID))
		w.must(w.SelectDownlink(w.Context(), w.kind.ID, two.ID))
		w.want("moved", hooks(), two.ID)
		_, err := w.EditCallback(w.Context(), w.kind.ID, two.ID, func(c *Callback) error { c.Subtype = 2; return nil })
		w.must(err)
		w.want("not BIDIR any more", hooks(), "")
		w.must(w.SelectDownlink(w.Context(), w.kind.ID, one.ID))
		w.must(w.DeleteCallback(w.Context(), w.kind.ID, one.ID))
		w.want("deleted", hooks(), "")
	})
}

func TestDefinitionHidesPasswords(t *testing.T) {
	for url, want := range map[string]string{
		"https://a:b@example.org/x?y=1": "POST https://***@example.org/x?y=1", "https://example.org/@": "POST https://example.org/@", "no": "POST no",
		"https://example.org/?token=abc&d={device}": "POST https://example.org/?token=***&d={device}",
	} {
		c := Callback{Channel: ChannelURL, Method: "POST", URL: url}
		if got := c.Definition(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	c := Callback{Headers: []Header{{"Authorization", "Bearer a"}, {"X-Api-Key", "b"}, {"X-Room", "12"}}}
	if got := c.HeadersShown(); !slices.Equal(got, []Header{{"Authorization", "***"}, {"X-Api-Key", "***"}, {"X-Room", "12"}}) {
		t.Errorf("%v", got)
	}
}
