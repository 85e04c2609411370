package cloudformation

import (
	"slices"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
)

// The functions that templates may call, by their long names ("Intrinsic function reference").
const (
	fnRef       = "Ref"
	fnCondition = "Condition"
	fnGetAtt    = "Fn::GetAtt"
	fnSub       = "Fn::Sub"
	fnJoin      = "Fn::Join"
	fnSelect    = "Fn::Select"
	fnSplit     = "Fn::Split"
	fnIf        = "Fn::If"
	fnEquals    = "Fn::Equals"
	fnAnd       = "Fn::And"
	fnOr        = "Fn::Or"
	fnNot       = "Fn::Not"
)

// valueFunctions make values, conditionFunctions are for the section Conditions.
var (
	valueFunctions     = []string{fnRef, fnGetAtt, fnSub, fnJoin, fnSelect, fnSplit, fnIf}
	conditionFunctions = []string{fnEquals, fnAnd, fnOr, fnNot, fnCondition}
)

// absentFunctions are AWS's and not here.
var absentFunctions = []string{
	"Fn::Base64", "Fn::Cidr", "Fn::FindInMap", "Fn::ForEach", "Fn::GetAZs", "Fn::GetStackOutput", "Fn::ImportValue", "Fn::Length",
	"Fn::ToJsonString", "Fn::Transform", "Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn", "Fn::RefAll", "Fn::ValueOf", "Fn::ValueOfAll",
}

func isFunction(name string) bool {
	return slices.Contains(valueFunctions, name) || slices.Contains(conditionFunctions, name) || slices.Contains(absentFunctions, name)
}

// call is a function and its argument.
type call struct {
	name string
	arg  node
}

// asCall reads an object that is a call of a function. An object with a function beside something else is a mistake.
func (n *node) asCall() (c call, ok bool, err error) {
	if n.kind != kindObject {
		return call{}, false, nil
	}
	for i, name := range n.names {
		if name != fnRef && !strings.HasPrefix(name, "Fn::") {
			continue
		}
		if len(n.names) > 1 {
			return call{}, false, malformed("%s stands beside other keys%s", fault.Plain(name), n.where())
		}
		return call{name, n.items[i]}, true, nil
	}
	return call{}, false, nil
}

// texts are the items of a list that must all be scalars.
func (n *node) texts() ([]string, bool) {
	if n.kind != kindList {
		return nil, false
	}
	texts := make([]string, len(n.items))
	for i := range n.items {
		if n.items[i].kind != kindScalar {
			return nil, false
		}
		texts[i] = n.items[i].text
	}
	return texts, true
}

// subPart is a piece of the text of Fn::Sub: literal text, or what ${…} names.
type subPart struct {
	literal, name string
}

// parseSub cuts the text of Fn::Sub. ${!Literal} stands for ${Literal}.
func parseSub(text string) ([]subPart, error) {
	var parts []subPart
	for {
		before, rest, found := strings.Cut(text, "${")
		if before != "" {
			parts = append(parts, subPart{literal: before})
		}
		if !found {
			return parts, nil
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, malformed("${%s has no closing brace in Fn::Sub", fault.Plain(rest))
		}
		switch literal, escaped := strings.CutPrefix(name, "!"); {
		case escaped:
			parts = append(parts, subPart{literal: "${" + literal + "}"})
		case name == "" || strings.ContainsAny(name, " ${\t\r\n"):
			return nil, malformed("${%s} is no variable of Fn::Sub", fault.Plain(name))
		default:
			parts = append(parts, subPart{name: name})
		}
		text = after
	}
}
