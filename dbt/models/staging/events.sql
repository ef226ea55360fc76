-- One row an occurrence and precinct. An event without a precinct cannot be placed and is left out;
-- one that runs for more than 30 days is a standing permit, and counts for its first 30 days.
with occurrences as (
    select distinct
        event_id,
        starts_on,
        least(ends_on, starts_on + 30) as ends_on,
        event_type,
        list_sort(list_distinct(precincts)) as precincts
    from {{ raw_rows('permitted_events') }}
    where len(precincts) > 0
),

by_precinct as (
    select
        event_id,
        starts_on,
        ends_on,
        event_type,
        unnest(precincts) as precinct,
        1.0 / len(precincts) as precinct_share
    from occurrences
)

select
    event_id,
    starts_on,
    ends_on,
    event_type,
    precinct,
    cast(max(precinct_share) as double) as precinct_share
from by_precinct
group by event_id, starts_on, ends_on, event_type, precinct
order by starts_on, event_id, ends_on, event_type, precinct
