#!/usr/bin/env bash
# Prints random secrets for deploy/compose.yaml, as the lines of its .env. Usage: secrets.sh > deploy/.env
set -euo pipefail

random() { head -c "$1" /dev/urandom | base64 --wrap 0; }

echo "STORAGE_KEY=$(random 48)"
echo "POOL_TOKEN=$(random 24)"
echo "MSSQL_SA_PASSWORD=aA1-$(random 24)" # its rules want letters of both kinds, a digit and a sign
echo "# Y accepts the licences of Microsoft's Service Bus emulator and SQL Server, which docs/compose.md names."
echo "ACCEPT_EULA="
