-- No incident is known before it happened: features are built on that.
select incident_id, occurred_on, reported_on
from {{ ref('incidents') }}
where reported_on < occurred_on
