"""case_studies"""
