package journal

// Event types of the calls of the data plane (developer guide, "CloudWatch Logs: AWS IoT log entries"). The singular of
// ListRetained is AWS's.
const (
	GetRetained       = "GetRetainedMessage"
	ListRetained      = "ListRetainedMessage"
	GetConnection     = "GetConnection"
	DeleteConnection  = "DeleteConnection"
	ListSubscriptions = "ListSubscriptions"
	SendDirect        = "SendDirectMessage"
)

// APICall is our event of an operation of the control plane, STS, IAM or the private API that policies refused.
const APICall = "API"
