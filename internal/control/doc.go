// Package control is the operator door: the control plane of AWS IoT Core in its own wire form (rest-json), answered
// from the registry.
//
// Operations are a table (operations.go and the files beside it). To add one: write a function
// func(*call) (any, error) that decodes what it needs from the call's labels, query, headers and body, asks the
// registry and returns the response members; then add one row with name, method, path template and resource (the action
// is "iot:" and the name; resources that the request names outside its path, or several, are in resources.go). absent.txt
// lists all of AWS's operations, and the table wins over it: what has no row is refused by its name in AWS's shape with
// status 501, never answered with "ok".
//
// The handler authorises (the caller's policies decide on the action and resource of the row) but does not
// authenticate: the door that owns the socket puts an awsapi.Caller into the request's context, and a request
// without one is refused. Routing is on the escaped path, because labels carry %2F.
//
// Beside it stands Query, which answers STS, IAM and CloudFormation in AWS's Query protocol: forms in, XML out, errors with codes
// of their own. Its table is in queryop.go, and absentquery.txt is to it what absent.txt is to the other.
//
// It may import awsapi, broker, cloudformation, fault, iam, policy, registry and sigv4.
package control
