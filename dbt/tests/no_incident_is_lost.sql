{#- Of several tables, so Dagster is told which one it is a check of. -#}
{{ config(meta={'dagster': {'ref': {'name': 'incidents'}}}) }}
-- Every number that raw holds is one incident of staging, and no other is.
with raw_numbers as (
    select 'complaints' as source, report_id from {{ raw_rows('complaints') }}
    union
    select 'felonies' as source, report_id from {{ raw_rows('felonies') }}
    union
    select 'shootings' as source, report_id from {{ raw_rows('shootings') }}
    union
    select 'incident_reports' as source, report_id from {{ raw_rows('incident_reports') }}
),

counted as (
    select
        (select count(*) from raw_numbers) as raw_count,
        (select count(*) from {{ ref('incidents') }}) as staged_count
)

select * from counted where raw_count != staged_count
