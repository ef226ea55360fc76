-- Reported incidents by day of occurrence, borough, precinct and offence group.
select
    source,
    occurred_on,
    coalesce(borough, 'unknown') as borough,
    precinct,
    offence_group,
    count(*) as incidents_count
from {{ ref('incidents') }}
group by source, occurred_on, borough, precinct, offence_group
order by source, occurred_on, borough, precinct, offence_group
