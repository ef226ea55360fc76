{#- The study area of this run: the name of the dbt target. -#}
{% macro study_area() %}'{{ target.name }}'{% endmacro %}

{#- Rows of one raw table of this study area. -#}
{% macro raw_rows(table) %}
(select * exclude (area) from {{ source('raw', table) }} where area = {{ study_area() }})
{% endmacro %}
