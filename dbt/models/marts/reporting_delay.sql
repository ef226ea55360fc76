-- How long reports take, by month of the report and offence group: the newest weeks are under-counted by this much.
select
    source,
    cast(date_trunc('month', reported_on) as date) as month_on,
    offence_group,
    count(*) as incidents_count,
    quantile_disc(reported_on - occurred_on, 0.5) as median_delay_days,
    quantile_disc(reported_on - occurred_on, 0.9) as p90_delay_days,
    quantile_disc(reported_on - occurred_on, 0.99) as p99_delay_days
from {{ ref('incidents') }}
group by source, month_on, offence_group
order by source, month_on, offence_group
