#!/bin/sh
# A passive check result of Nagios, Icinga or Naemon from an alert of `weir notify`, by send_nsca:
#
#     command: [/usr/local/lib/weir/to-nsca, "{{labels.service}}", "{{rule}}"]
#
# Host and service description are the arguments; what else there is to say is in the environment. NSCA wants tabs
# between its fields, so there must be none in them.
set -eu
plain() { printf '%s' "$1" | tr '\t\n' '  '; }

case "$WEIR_ALERT_STATE-${WEIR_ALERT_SEVERITY:-}" in
resolved-*) code=0 ;;
firing-page | firing-critical) code=2 ;;
*) code=1 ;;
esac
printf '%s\t%s\t%s\t%s\n' "$(plain "$1")" "$(plain "$2")" "$code" \
    "$(plain "${WEIR_ALERT_SUMMARY:-$WEIR_ALERT_CONDITION} since $WEIR_ALERT_SINCE")" |
    "${SEND_NSCA:-send_nsca}" -H "${NSCA_HOST:-localhost}" -c "${NSCA_CONFIG:-/etc/send_nsca.cfg}"
