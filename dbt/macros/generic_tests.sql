{#- The columns together identify a row. Rows that share a key are returned. -#}
{% test unique_together(model, columns) %}
select {{ columns | join(', ') }}, count(*) as rows_count
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}

{#- A number lies within inclusive bounds. -#}
{% test within(model, column_name, lower=none, upper=none) %}
select {{ column_name }}
from {{ model }}
where
    false
    {% if lower is not none %} or {{ column_name }} < {{ lower }} {% endif %}
    {% if upper is not none %} or {{ column_name }} > {{ upper }} {% endif %}
{% endtest %}
