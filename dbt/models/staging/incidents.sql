-- One row an incident. Historic and year-to-date files overlap and numbers repeat: the row pulled
-- last wins, then the file that sorts last, then the later row, so the choice never depends on read order.
-- Every study area has the tables it declares; a table that it does not is an empty view.
with reports as (
    select 'complaints' as source, * from {{ raw_rows('complaints') }}
    union all
    select 'felonies' as source, * from {{ raw_rows('felonies') }}
    union all
    select 'shootings' as source, * from {{ raw_rows('shootings') }}
    union all by name
    select 'incident_reports' as source, * exclude (agency) from {{ raw_rows('incident_reports') }}
),

latest as (
    select *
    from reports
    qualify row_number() over (
        partition by source, report_id
        order by pulled_on desc, source_file desc, source_row desc
    ) = 1
),

-- The first group of the file wins. A label decides only where the publisher gives no code.
by_code as (
    select
        offence_code,
        min_by(offence_group, priority) as offence_group,
        min_by(is_discovered, priority) as is_discovered
    from {{ raw_rows('offence_groups') }}
    where offence_code is not null
    group by offence_code
),

-- Cities spell one label in several cases.
by_label as (
    select
        upper(offence) as offence,
        min_by(offence_group, priority) as offence_group,
        min_by(is_discovered, priority) as is_discovered
    from {{ raw_rows('offence_groups') }}
    where offence is not null
    group by upper(offence)
)

select
    latest.source || ':' || latest.report_id as incident_id,
    latest.source,
    latest.occurred_at,
    latest.occurred_on,
    latest.reported_on,
    latest.offence_code,
    coalesce(by_code.offence_group, by_label.offence_group, 'other') as offence_group,
    latest.law_category,
    latest.borough,
    latest.precinct,
    latest.lon,
    latest.lat,
    case
        when coalesce(by_code.is_discovered, by_label.is_discovered, false) then 'discovered'
        else 'reported'
    end as origin
from latest
left join by_code on latest.offence_code = by_code.offence_code
left join by_label on latest.offence_code is null and upper(latest.offence) = by_label.offence
order by latest.reported_on, latest.occurred_at, incident_id
