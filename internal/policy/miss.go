package policy

import (
	"fmt"
	"strings"
)

// missResource tells how near a pattern came to the resource that was asked for. The order is that of the ranks: what
// most likely is the mistake comes first.
func (st *statement) missResource(a *asking, p *arnPattern) miss {
	parts := strings.SplitN(a.r.Resource, ":", arnColons+1)
	if len(parts) <= arnColons {
		return miss{rank: rankResource, text: fmt.Sprintf("allowed on %s, asked for %s", p.text, plain(a.r.Resource))}
	}
	for _, try := range []func(*asking, *arnPattern, []string) miss{
		st.missVersion, missVariable, missHead, missMQTT, missCase, missKind, missValue,
	} {
		if m := try(a, p, parts); m.rank > 0 {
			return m
		}
	}
	return miss{
		rank: rankResource + commonPrefix(resourcePart(p.text), parts[arnColons]),
		text: fmt.Sprintf("allowed on %s, asked for %s", p.short(a.r.Resource), plain(parts[arnColons])),
	}
}

// short is the text of p without the head that it shares with the resource asked for.
func (p *arnPattern) short(resource string) string {
	if p.prefix != "" && strings.HasPrefix(resource, p.prefix) {
		return strings.TrimPrefix(p.text, p.prefix)
	}
	return p.text
}

// commonPrefix is how many bytes agree, short of the next rank.
func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return min(n, rankLeftOut-rankResource-1)
}

// missVersion finds variables in a document whose version does not know them.
func (st *statement) missVersion(a *asking, p *arnPattern, _ []string) miss {
	if st.doc.hasVariables() || !strings.Contains(p.text, "${") {
		return miss{}
	}
	with, err := parseARN(p.text, true)
	if err != nil || !with.loose().fits(a.r.Resource) {
		return miss{}
	}
	return miss{rank: rankVersion, text: fmt.Sprintf(
		"its document has no \"Version\": %q, and without it ${…} is plain text in %s", version2012, p.text)}
}

// missVariable finds a variable without a value.
func missVariable(a *asking, p *arnPattern, _ []string) miss {
	v := a.unresolved(p.tail.vars)
	if v == nil || !p.loose().fits(a.r.Resource) {
		return miss{}
	}
	return miss{rank: rankVariable, text: a.noValue(v)}
}

// headNames are the segments of an ARN before the resource, and the flag of thingwire that sets one.
var headNames = [arnColons]struct{ name, flag string }{
	{"word arn", ""}, {"partition", ""}, {"service", ""}, {"region", "--region"}, {"account", "--account"},
}

// missHead finds a resource that is right but in another account or region.
func missHead(a *asking, p *arnPattern, parts []string) miss {
	if p.whole {
		return miss{}
	}
	if ok, resolved := p.tail.ask(a, parts[arnColons]); !ok || !resolved {
		return miss{}
	}
	var names, hints []string
	for i, want := range strings.SplitN(p.text, ":", arnColons+1)[:arnColons] {
		pat, err := parsePattern(want, syntax{wildcards: true})
		if err != nil || pat.match(parts[i], nil) {
			continue
		}
		hint := fmt.Sprintf("the policy says %s, this server is %s", want, parts[i])
		if headNames[i].flag != "" && !strings.ContainsAny(want, "*?") && want != "" {
			hint += fmt.Sprintf(": start it with %s %s", headNames[i].flag, want)
		}
		names = append(names, headNames[i].name)
		hints = append(hints, hint)
	}
	if len(names) == 0 {
		return miss{}
	}
	return miss{rank: rankHead, text: fmt.Sprintf("differs only in the %s (%s)",
		strings.Join(names, " and the "), strings.Join(hints, "; "))}
}

// missMQTT finds + and # that were meant as wildcards of MQTT; in a policy they are plain characters.
func missMQTT(a *asking, p *arnPattern, parts []string) miss {
	if !strings.ContainsAny(resourcePart(p.text), "+#") {
		return miss{}
	}
	loose, err := parseARN(strings.NewReplacer("+", "*", "#", "*").Replace(p.text), len(p.tail.vars) > 0)
	if err != nil {
		return miss{}
	}
	if ok, _ := loose.match(a, a.r.Resource); !ok {
		return miss{}
	}
	return miss{rank: rankMQTT, text: fmt.Sprintf(
		"allowed on %s, asked for %s; + and # are plain characters in a policy: write * there",
		p.short(a.r.Resource), plain(parts[arnColons]))}
}

// missCase finds a difference in upper and lower case alone.
func missCase(a *asking, p *arnPattern, parts []string) miss {
	lower, err := parseARN(strings.ToLower(p.text), false)
	if err != nil || len(p.tail.vars) > 0 || !lower.fits(strings.ToLower(a.r.Resource)) {
		return miss{}
	}
	return miss{rank: rankCase, text: fmt.Sprintf("allowed on %s, asked for %s: upper and lower case are not the same",
		p.short(a.r.Resource), plain(parts[arnColons]))}
}

// missKind finds a topic where a topic filter was meant, and the other way round.
func missKind(a *asking, p *arnPattern, parts []string) miss {
	kind, name, _ := strings.Cut(parts[arnColons], "/")
	other := map[string]string{"topic": "topicfilter", "topicfilter": "topic"}[kind]
	if other == "" {
		return miss{}
	}
	swapped := strings.Join(parts[:arnColons], ":") + ":" + other + "/" + name
	if ok, _ := p.match(a, swapped); !ok {
		return miss{}
	}
	return miss{rank: rankKind, text: fmt.Sprintf("allowed on %s, asked for %s: %s is checked on %s/",
		p.short(a.r.Resource), plain(parts[arnColons]), a.r.Action, kind)}
}

// missValue finds a variable that has another value than the one asked for.
func missValue(a *asking, p *arnPattern, parts []string) miss {
	if len(p.tail.vars) == 0 || !p.loose().fits(a.r.Resource) {
		return miss{}
	}
	v := &p.tail.vars[0]
	s, _ := a.value(v)
	return miss{rank: rankValue, text: fmt.Sprintf("allowed on %s, asked for %s; %s is %q here",
		p.short(a.r.Resource), plain(parts[arnColons]), v.text, s)}
}

// fits is match for patterns without variables.
func (p *arnPattern) fits(s string) bool {
	rest, ok := p.cut(s)
	return ok && p.tail.match(rest, nil)
}

// loose is p with an asterisk in the place of each variable.
func (p *arnPattern) loose() *arnPattern {
	var b patternBuilder
	for i, seg := range p.tail.segments {
		if i > 0 {
			b.star()
		}
		for _, t := range seg {
			if t.kind == atomVar {
				b.star()
			} else {
				b.seg = append(b.seg, t)
			}
		}
	}
	q := *p
	q.tail = pattern{segments: append(b.p.segments, b.seg)}
	return &q
}

// unresolved is the first of vars that has no value, nil if all have one.
func (a *asking) unresolved(vars []variable) *variable {
	for i := range vars {
		if _, ok := a.value(&vars[i]); !ok {
			return &vars[i]
		}
	}
	return nil
}

// noValue says why a variable has no value.
func (a *asking) noValue(v *variable) string {
	_, named := a.lookup(varThingName)
	return fmt.Sprintf("%s has no value: %s", v.text, reasonWithout(v.name, named))
}

func reasonWithout(name string, hasThing bool) string {
	switch {
	case strings.HasPrefix(name, "iot:connection.thing.") && hasThing:
		return "the thing has no such type or attribute"
	case strings.HasPrefix(name, "iot:connection.thing."), name == varThingNameOld:
		return "client id is not the name of a thing attached to this certificate"
	case name == varClientID:
		return "the request came without a client id"
	case name == varDomainName:
		return "the client sent no server name (SNI)"
	case name == varCertificateID:
		return "the caller has no certificate"
	case strings.HasPrefix(name, varCertificate):
		return "the certificate has no such attribute, or what it holds is too long or has one of * $ + ? #"
	}
	return "nothing by this name belongs to this request"
}
