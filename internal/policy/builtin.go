package policy

import "strings"

// allowEverything is split in two because actions without a resource are asked with "*", which no ARN matches.
const allowEverything = `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": ["iot:*", "iotjobsdata:*"],
      "Resource": "arn:aws:iot:REGION:ACCOUNT:*"
    },
    {
      "Effect": "Allow",
      "Action": "iot:ListRetainedMessages",
      "Resource": "*"
    }
  ]
}
`

const thingScoped = `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": "iot:Connect",
      "Resource": "arn:aws:iot:REGION:ACCOUNT:client/${iot:Connection.Thing.ThingName}"
    },
    {
      "Effect": "Allow",
      "Action": ["iot:Publish", "iot:Receive"],
      "Resource": [
        "arn:aws:iot:REGION:ACCOUNT:topic/${iot:Connection.Thing.ThingName}/*",
        "arn:aws:iot:REGION:ACCOUNT:topic/$aws/things/${iot:Connection.Thing.ThingName}/shadow/*",
        "arn:aws:iot:REGION:ACCOUNT:topic/$aws/things/${iot:Connection.Thing.ThingName}/jobs/*"
      ]
    },
    {
      "Effect": "Allow",
      "Action": ["iot:RetainPublish", "iot:GetRetainedMessage"],
      "Resource": "arn:aws:iot:REGION:ACCOUNT:topic/${iot:Connection.Thing.ThingName}/*"
    },
    {
      "Effect": "Allow",
      "Action": "iot:Subscribe",
      "Resource": [
        "arn:aws:iot:REGION:ACCOUNT:topicfilter/${iot:Connection.Thing.ThingName}/*",
        "arn:aws:iot:REGION:ACCOUNT:topicfilter/$aws/things/${iot:Connection.Thing.ThingName}/shadow/*",
        "arn:aws:iot:REGION:ACCOUNT:topicfilter/$aws/things/${iot:Connection.Thing.ThingName}/jobs/*"
      ]
    }
  ]
}
`

// AllowEverything is the text of an IoT policy that allows everything on one account.
func AllowEverything(account, region string) string { return fill(allowEverything, account, region) }

// ThingScoped is the text of an IoT policy that pins a device to its thing: the client id is the thing's name, and topics
// are those below that name and the thing's own shadow and jobs topics.
func ThingScoped(account, region string) string { return fill(thingScoped, account, region) }

func fill(text, account, region string) string {
	return strings.NewReplacer("REGION", region, "ACCOUNT", account).Replace(text)
}
