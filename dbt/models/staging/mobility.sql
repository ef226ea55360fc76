-- Airport passengers by month and transit riders by day as one table of series.
select
    'airport_' || lower(airport) as series,
    month_on as period_on,
    'month' as period,
    passengers_count
from {{ raw_rows('airport_passengers') }}
union all
select
    'transit_' || service as series,
    ridden_on as period_on,
    'day' as period,
    riders_count as passengers_count
from {{ raw_rows('transit_ridership') }}
order by series, period_on
